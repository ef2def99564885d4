import { BitNetError } from "../errors.js";
import type { ModelFile } from "../files/model-file.js";
import type { ArchitectureKeys } from "./description.js";

/**
 * A text in the metadata.
 * @throws BitNetError MODEL_INVALID if it is missing or not a text.
 */
export function readText(file: ModelFile, key: string): string {
  const value = file.metadata.get(key);
  if (typeof value === "string") return value;
  throw invalid(file, `metadata "${key}" ${value === undefined ? "is missing" : "is not a text"}`, { key });
}

/**
 * A whole number in [min, max]. Some writers give one number per layer: an array of equal numbers counts as
 * the number.
 * @throws BitNetError MODEL_INVALID if it is absent without a fallback, not whole, or out of range.
 */
export function readCount(
  file: ModelFile,
  key: string,
  range: { readonly min: number; readonly max: number; readonly fallback?: number },
): number {
  let value: unknown = file.metadata.get(key);
  if (value === undefined && range.fallback !== undefined) return range.fallback;
  if (ArrayBuffer.isView(value) && "every" in value && "length" in value) {
    const list = value as Uint32Array;
    const head = list[0];
    if (head !== undefined && list.every((item) => item === head)) value = head;
    else {
      throw unsupported(file, `metadata "${key}" differs between layers, which has no graph here`, { key });
    }
  }
  if (typeof value === "number" && Number.isInteger(value) && value >= range.min && value <= range.max)
    return value;
  throw invalid(
    file,
    `metadata "${key}" ${describeValue(value)}, not a whole number from ${range.min} to ${range.max}`,
    {
      key,
    },
  );
}

/**
 * A positive finite number.
 * @throws BitNetError MODEL_INVALID if it is something else, or absent without a fallback.
 */
export function readPositive(file: ModelFile, key: string, fallback?: number): number {
  const value = file.metadata.get(key);
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw invalid(file, `metadata "${key}" ${describeValue(value)}, not a positive number`, { key });
}

/**
 * A finite number.
 * @throws BitNetError MODEL_INVALID if it is something else, unless it is absent.
 */
export function readNumber(file: ModelFile, key: string, fallback: number): number {
  const value = file.metadata.get(key) ?? fallback;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw invalid(file, `metadata "${key}" ${describeValue(value)}, not a number`, { key });
}

function describeValue(value: unknown): string {
  if (value === undefined) return "is missing";
  const simple = typeof value === "string" || typeof value === "number" || typeof value === "bigint";
  return simple ? `is ${String(value).slice(0, 40)}` : `is a ${typeof value}`;
}

/** Reads metadata under an architecture's name. */
export function keysOf(file: ModelFile, architecture: string): ArchitectureKeys {
  const full = (key: string): string => `${architecture}.${key}`;
  return {
    has: (key) => file.metadata.has(full(key)),
    positive: (key, fallback) => readPositive(file, full(key), fallback),
    number: (key, fallback) => readNumber(file, full(key), fallback),
    count: (key, range) => readCount(file, full(key), range),
    text: (key, fallback) => (file.metadata.has(full(key)) ? readText(file, full(key)) : fallback),
    value: (key) => file.metadata.get(full(key)),
    unsupported: (problem, details = {}) => unsupported(file, problem, details),
  };
}

/** The error for a sound model without a graph here. */
export function unsupported(
  file: ModelFile,
  problem: string,
  details: Readonly<Record<string, unknown>> = {},
): BitNetError {
  return new BitNetError("UNSUPPORTED_ARCHITECTURE", `Cannot run "${file.source.name}": ${problem}`, {
    details,
  });
}

/** The error for a file whose parts do not make a model. */
export function invalid(
  file: ModelFile,
  problem: string,
  details: Readonly<Record<string, unknown>> = {},
): BitNetError {
  return new BitNetError("MODEL_INVALID", `Cannot load "${file.source.name}": ${problem}`, { details });
}
