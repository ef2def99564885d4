import type { Context } from "hono";
import { z } from "zod";
import { BitNetError } from "../../errors.js";
import { badRequest, type Failure } from "../failures.js";
import { checkFields, type FieldRules, type RouteFields } from "./field-rules.js";

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

/** The parser of a route's body, with the fields that it knows. */
export interface RequestReader<P extends Parts> {
  (context: Context): Promise<ParsedRequest<P>>;
  readonly fields: RouteFields;
}

/**
 * The parser of a route's body. It parses a body once, for all its parts.
 *
 * It throws a Failure with status 400 that names the first wrong field, and BitNetError ABORTED if the client
 * leaves before the body is complete. Unknown fields are named in the answer's header X-Ignored-Fields.
 *
 * @param rules of the fields that belong to no part.
 */
export function requestReader<P extends Parts>(parts: P, rules: FieldRules): RequestReader<P> {
  const shape = Object.assign({}, ...Object.values(parts).map((part) => part.shape)) as z.ZodRawShape;
  const schema = z.object(shape);
  const fields: RouteFields = { ...rules, used: Object.keys(shape) };
  async function read(context: Context): Promise<ParsedRequest<P>> {
    const body = await readJson(context);
    noteIgnored(context, checkFields(body, fields));
    const result = schema.safeParse(body);
    if (!result.success) throw wrongField(result.error);
    const values = Object.entries(parts).map(([name, { read }]) => [name, read(result.data)] as const);
    return Object.fromEntries(values) as ParsedRequest<P>;
  }
  return Object.assign(read, { fields });
}

/** Headers are short. Twenty names are enough to see the mistake. */
const maxNoted = 20;

function noteIgnored(context: Context, names: readonly string[]): void {
  if (names.length === 0) return;
  const noted = names
    .slice(0, maxNoted)
    .map((name) => encodeURIComponent(name.replaceAll(/\p{Surrogate}/gu, "?")).slice(0, 60));
  // Hono adds the headers of `context.res` to the response that the route returns.
  context.res.headers.set("X-Ignored-Fields", noted.join(", "));
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
