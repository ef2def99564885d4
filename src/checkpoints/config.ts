import { BitNetError } from "../errors.js";
import type { Folder } from "../platform/folder.js";

/** A parsed JSON object. Its keys are its own properties, whatever their names. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A JSON file of a checkpoint, with checked access to its values. A null value counts as absent, as in the
 * programs that write these files.
 */
export class Config {
  /** Name for messages: "config.json", "config.json: rope_scaling". */
  readonly name: string;
  readonly #folder: string;
  readonly #values: JsonObject;

  constructor(folder: string, name: string, values: JsonObject) {
    this.#folder = folder;
    this.name = name;
    this.#values = values;
  }

  /** The value of a key. Undefined if it is absent or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? (this.#values[key] ?? undefined) : undefined;
  }

  keys(): readonly string[] {
    return Object.keys(this.#values);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** A whole number from 0 to 2^32 − 1, the range of metadata. */
  count(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
    throw this.wrong(key, "a whole number");
  }

  /** A positive number, rounded to float32, the type of metadata. */
  positive(key: string, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    const rounded = typeof value === "number" ? Math.fround(value) : NaN;
    if (rounded > 0 && rounded < Infinity) return rounded;
    throw this.wrong(key, "a positive number");
  }

  flag(key: string, absent: { readonly default: boolean }): boolean {
    const value = this.get(key) ?? absent.default;
    if (typeof value === "boolean") return value;
    throw this.wrong(key, "true or false");
  }

  text(key: string, fallback?: string): string {
    const value = this.get(key) ?? fallback;
    if (typeof value === "string") return value;
    throw this.wrong(key, "a text");
  }

  list(key: string): readonly unknown[] {
    const value = this.get(key) ?? [];
    if (Array.isArray(value)) return value;
    throw this.wrong(key, "a list");
  }

  /** An object inside. Undefined if it is absent. */
  object(key: string): Config | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (isObject(value)) return new Config(this.#folder, `${this.name}: ${key}`, value);
    throw this.wrong(key, "an object");
  }

  /** An object in a list. */
  element(key: string, index: number): Config {
    const value = this.list(key)[index];
    if (isObject(value)) return new Config(this.#folder, `${this.name}: ${key}[${index}]`, value);
    throw this.wrong(key, "a list of objects");
  }

  /** The error for a key whose value cannot be used. */
  wrong(key: string, expected: string): BitNetError {
    const value = this.get(key);
    const actual = value === undefined ? "is missing" : `is ${describe(value)}`;
    return this.invalid(`"${key}" ${actual}, expected ${expected}`, { key });
  }

  /** The error for contents that do not make a model. */
  invalid(problem: string, details: Readonly<Record<string, unknown>> = {}): BitNetError {
    return new BitNetError("MODEL_INVALID", `Cannot open "${this.#folder}": ${this.name}: ${problem}`, {
      details: { file: this.name, ...details },
    });
  }

  /** The error for a model without a graph or kernel here. */
  unsupported(
    code: "UNSUPPORTED_ARCHITECTURE" | "UNSUPPORTED_TENSOR_TYPE" | "UNSUPPORTED_TOKENIZER",
    problem: string,
    details: Readonly<Record<string, unknown>> = {},
  ): BitNetError {
    return new BitNetError(code, `Cannot open "${this.#folder}": ${this.name}: ${problem}`, {
      details: { file: this.name, ...details },
    });
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @returns the object in a JSON file of the folder; undefined if there is no such file */
export async function readConfig(
  folder: Folder,
  file: string,
  maxBytes: number,
): Promise<Config | undefined> {
  const value = await readJson(folder, file, maxBytes);
  if (value === undefined) return undefined;
  if (isObject(value)) return new Config(folder.name, file, value);
  throw damaged(folder, file, "it is not a JSON object");
}

/** @returns the objects of the list in a JSON file of the folder; undefined where there is no such file. */
export async function readConfigs(
  folder: Folder,
  file: string,
  maxBytes: number,
): Promise<readonly Config[] | undefined> {
  const value = await readJson(folder, file, maxBytes);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every(isObject)) {
    return value.map((each, index) => new Config(folder.name, `${file}[${index}]`, each));
  }
  throw damaged(folder, file, "it is not a JSON list of objects");
}

async function readJson(folder: Folder, file: string, maxBytes: number): Promise<unknown> {
  const text = await readText(folder, file, maxBytes);
  if (text === undefined) return undefined;
  try {
    // Of repeated keys the last counts, as in every program that reads these files. Published files have such
    // keys.
    return JSON.parse(text);
  } catch (cause) {
    const numbers = withPythonNumbers(text);
    if (numbers !== undefined) return numbers;
    throw damaged(folder, file, `it is not JSON (${cause instanceof Error ? cause.message : ""})`, cause);
  }
}

/** The three numbers that Python writes and JSON lacks, by a text that stands for each while it is parsed. */
const pythonNumbers: ReadonlyMap<unknown, number> = new Map(
  [NaN, Infinity, -Infinity].map((number) => [`\u0000number ${number}`, number]),
);

/** Parses a text with such numbers. @returns undefined if the text is wrong in another way. */
function withPythonNumbers(text: string): unknown {
  const marked = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/g, (token) =>
    token.startsWith('"') ? token : JSON.stringify(`\u0000number ${token}`),
  );
  if (marked === text) return undefined;
  try {
    return JSON.parse(marked, (_, value: unknown) => pythonNumbers.get(value) ?? value);
  } catch {
    return undefined;
  }
}

/** @returns the text of a file of the folder; undefined where there is none. */
export async function readText(folder: Folder, file: string, maxBytes: number): Promise<string | undefined> {
  if (!folder.files.has(file)) return undefined;
  const source = await folder.open(file);
  try {
    if (source.size > maxBytes) {
      throw damaged(folder, file, `it has ${source.size} bytes, more than the ${maxBytes} accepted`);
    }
    const bytes = await source.read(0, source.size);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw damaged(folder, file, "it is not UTF-8", cause);
    }
  } finally {
    await source.close();
  }
}

function damaged(folder: Folder, file: string, problem: string, cause?: unknown): BitNetError {
  return new BitNetError("FILE_CORRUPT", `Cannot read "${file}" of "${folder.name}": ${problem}`, {
    cause,
    details: { file, offset: 0 },
  });
}

function describe(value: unknown): string {
  // JSON would call infinite numbers null.
  if (typeof value === "number") return String(value);
  return (JSON.stringify(value) ?? typeof value).slice(0, 60);
}
