import type { Context } from "hono";
import type { z } from "zod";
import { BitNetError } from "../errors.js";
import { badRequest } from "./failures.js";

/** The JSON that a client sent. @throws BitNetError INVALID_ARGUMENT if it is none, ABORTED if it does not come whole. */
export async function readJson(context: Context): Promise<unknown> {
  const text = await context.req.text().catch((cause: unknown) => {
    throw new BitNetError("ABORTED", "The request's body has not come whole", { cause });
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(null, `The request's body is not JSON: ${why}`);
  }
}

/** @throws BitNetError INVALID_ARGUMENT naming the first field that is wrong. Fields that the schema does not know are left out. */
export function checkBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join(".") ?? "";
  throw badRequest(
    path === "" ? null : path,
    `Invalid ${path === "" ? "body" : path}: ${issue?.message ?? "not as expected"}`,
  );
}

/** A field that may be left out, or null, which means the same to OpenAI's clients. */
export function optional<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** @throws BitNetError INVALID_ARGUMENT if the request asks for something that this server does not have. */
export function refuseFeatures(
  body: unknown,
  features: Readonly<Record<string, (value: unknown) => boolean>>,
): void {
  if (typeof body !== "object" || body === null) return;
  const fields = body as Readonly<Record<string, unknown>>;
  for (const [name, asked] of Object.entries(features)) {
    if (!asked(fields[name])) continue;
    throw badRequest(name, `This server does not support ${name}: leave it out`);
  }
}

/** Whether a field has something in it: not left out, null, false, empty. */
export function isGiven(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== false && value !== "";
}
