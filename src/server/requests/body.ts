import type { Context } from "hono";
import { z } from "zod";
import { BitNetError } from "../../errors.js";
import { badRequest, type Failure } from "../failures.js";

/** A group of a body's fields, such as those about tools. It checks their types and returns their meaning. */
export interface RequestPart<T> {
  /** Schemas of the fields, by name. */
  readonly shape: Readonly<Record<string, z.ZodType>>;
  /** Interprets fields that have passed `shape`. */
  readonly read: (fields: Readonly<Record<string, unknown>>) => T;
}

export function requestPart<Shape extends RequestPart<unknown>["shape"], T>(
  shape: Shape,
  read: (fields: z.infer<z.ZodObject<Shape>>) => T,
): RequestPart<T> {
  // requestReader passes only fields that the schemas of `shape` returned.
  return { shape, read: (fields) => read(fields as z.infer<z.ZodObject<Shape>>) };
}

type Parts = Readonly<Record<string, RequestPart<unknown>>>;

/** The values of all parts of a body, by name of the part. */
export type ParsedRequest<P extends Parts> = { readonly [Name in keyof P]: ReturnType<P[Name]["read"]> };

/**
 * The parser of a route's body. It parses a body once, for all its parts.
 *
 * It throws a Failure with status 400 that names the first wrong field, and BitNetError ABORTED if the client
 * leaves before the body is complete. Fields that belong to no part are ignored.
 *
 * @param refused fields that the route refuses. Each function says whether a value asks for the feature.
 */
export function requestReader<P extends Parts>(
  parts: P,
  refused: Readonly<Record<string, (value: unknown) => boolean>> = {},
): (context: Context) => Promise<ParsedRequest<P>> {
  const schema = z.object(
    Object.assign({}, ...Object.values(parts).map(({ shape }) => shape)) as z.ZodRawShape,
  );
  return async (context) => {
    const body = await readJson(context);
    refuse(body, refused);
    const result = schema.safeParse(body);
    if (!result.success) throw wrongField(result.error);
    const values = Object.entries(parts).map(([name, { read }]) => [name, read(result.data)] as const);
    return Object.fromEntries(values) as ParsedRequest<P>;
  };
}

function refuse(body: unknown, refused: Readonly<Record<string, (value: unknown) => boolean>>): void {
  if (typeof body !== "object" || body === null) return;
  for (const [name, asks] of Object.entries(refused)) {
    if (!asks((body as Readonly<Record<string, unknown>>)[name])) continue;
    throw badRequest(name, `This server does not support ${name}: leave it out`);
  }
}

function wrongField({ issues: [issue] }: z.ZodError): Failure {
  const path = issue?.path.map(String).join(".") ?? "";
  return badRequest(
    path === "" ? null : path,
    `Invalid ${path === "" ? "body" : path}: ${issue?.message ?? "not as expected"}`,
  );
}

async function readJson(context: Context): Promise<unknown> {
  const text = await context.req.text().catch((cause: unknown) => {
    throw new BitNetError("ABORTED", "The request's body did not arrive completely", { cause });
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(null, `The request's body is not JSON: ${why}`);
  }
}

/** A field that can be absent or null. OpenAI's clients use both for the default. */
export function optional<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** Whether a value asks for something: absent, null, false and empty values do not. */
export function isGiven(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== false && value !== "";
}
