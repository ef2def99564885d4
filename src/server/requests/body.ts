import type { Context } from "hono";
import { z } from "zod";
import { BitNetError } from "../../errors.js";
import { inSlices, nextTurn, shareTurn } from "../../text/slices.js";
import { badRequest, type Failure } from "../failures.js";
import { checkFields, type FieldRules, type RouteFields } from "./field-rules.js";
import { jsonSteps } from "./json-text.js";
import { checkLimit, type RequestLimits } from "./limits.js";

/** A body of this size is parsed and checked in some milliseconds. */
const longBody = 1 << 14;

/** A group of a body's fields, such as those about tools. It checks their types and returns their meaning. */
export interface RequestPart<T> {
  /** Schemas of the fields, by name. */
  readonly shape: Readonly<Record<string, z.ZodType>>;
  /** Interprets fields that have passed `shape`. */
  readonly read: (fields: Readonly<Record<string, unknown>>, limits: RequestLimits) => T;
  /** Limits of the entries of fields. They are checked before `shape`. */
  readonly counted: Readonly<Record<string, keyof RequestLimits>>;
}

export function requestPart<Shape extends RequestPart<unknown>["shape"], T>(
  shape: Shape,
  read: (fields: z.infer<z.ZodObject<Shape>>, limits: RequestLimits) => T,
  counted: RequestPart<T>["counted"] = {},
): RequestPart<T> {
  // requestReader passes only fields that the schemas of `shape` returned.
  return { shape, read: (fields, limits) => read(fields as z.infer<z.ZodObject<Shape>>, limits), counted };
}

type CountedFields = RequestPart<unknown>["counted"];
type Parts = Readonly<Record<string, RequestPart<unknown>>>;

/** The values of all parts of a body, by name of the part. */
export type ParsedRequest<P extends Parts> = { readonly [Name in keyof P]: ReturnType<P[Name]["read"]> };

interface HasLimits {
  readonly limits: RequestLimits;
}

/** The parser of a route's body, with the fields that it knows. */
export interface RequestReader<P extends Parts> {
  (context: Context, service: HasLimits): Promise<ParsedRequest<P>>;
  readonly fields: RouteFields;
}

/**
 * The parser of a route's body. It parses a body once, for all its parts.
 *
 * It throws a Failure with status 400 that names the first wrong field, and BitNetError ABORTED if the client
 * leaves before the body is complete. Unknown fields are named in the answer's header X-Ignored-Fields. A
 * long body is decoded, parsed and checked in turns of its own. Short bodies that arrive together share
 * turns. So the server answers others in between.
 *
 * @param rules of the fields that belong to no part.
 */
export function requestReader<P extends Parts>(parts: P, rules: FieldRules): RequestReader<P> {
  const shape = Object.assign({}, ...Object.values(parts).map((part) => part.shape)) as z.ZodRawShape;
  const schema = z.object(shape);
  const fields: RouteFields = { ...rules, used: Object.keys(shape) };
  const counted = Object.assign({}, ...Object.values(parts).map((part) => part.counted)) as CountedFields;
  async function read(context: Context, { limits }: HasLimits): Promise<ParsedRequest<P>> {
    // As bytes: their text is not made in the turn in which they arrive.
    const bytes = await context.req.arrayBuffer().catch((cause: unknown) => {
      throw new BitNetError("ABORTED", "The request's body did not arrive completely", { cause });
    });
    const ownTurn = bytes.byteLength > longBody ? nextTurn : shareTurn;
    await ownTurn();
    const text = new TextDecoder().decode(bytes);
    const body = await inSlices(jsonSteps(text, limits, null));
    await ownTurn();
    noteIgnored(context, checkFields(body, fields));
    checkCounts(body, counted, limits);
    // Compiling a schema costs more than it saves: 2 to 5 ms in the first request.
    const result = schema.safeParse(body, { jitless: true });
    if (!result.success) throw wrongField(result.error);
    const values = Object.entries(parts).map(
      ([name, { read }]) => [name, read(result.data, limits)] as const,
    );
    await ownTurn();
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

function checkCounts(body: unknown, counted: CountedFields, limits: RequestLimits): void {
  if (typeof body !== "object" || body === null) return;
  for (const [param, name] of Object.entries(counted)) {
    const value = (body as Readonly<Record<string, unknown>>)[param];
    if (Array.isArray(value)) checkLimit(limits, name, { param, count: value.length, what: "entries" });
  }
}

/** A field that can be absent or null. OpenAI's clients use both for the default. */
export function optional<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined);
}
