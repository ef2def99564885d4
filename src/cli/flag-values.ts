import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { isWhole, wholeRange } from "../options/checks.js";
import { keepAliveForms, parseKeepAlive } from "../server/models/keep-alive-time.js";

/** A decimal number. The library checks its range. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}

/** "8GB", "500 MB", "1.5G", "2000000": decimal units, as `formatBytes` writes them. */
export function parseBytes(text: string): number {
  const [, digits, unit = ""] = /^(\d+\.?\d*|\.\d+) ?([kMGT]?)B?$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError("Expected a number of bytes, such as 8GB.");
  return Math.round(Number(digits) * 1000 ** " kmgt".indexOf(unit.toLowerCase() || " "));
}

/** A whole number from `min` to `max`, for flags without a library option. */
export function parseCount(min: number, max?: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : undefined;
    if (isWhole(value, min, max)) return value;
    throw new InvalidArgumentError(`Expected ${wholeRange(min, max)}.`);
  };
}

/** A time in the forms of Ollama's `keep_alive`, such as "5m". @returns milliseconds. */
export function parseTime(text: string): number {
  const ms = parseKeepAlive(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError(`Expected ${keepAliveForms}.`);
}

/** A list such as "1,2,4": whole numbers of at least `min`. */
export function parseList(min: number): (text: string) => readonly number[] {
  const parse = parseCount(min);
  return (text) => {
    try {
      return text.split(",").map((part) => parse(part.trim()));
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      throw new InvalidArgumentError(`Expected whole numbers from ${min}, separated by commas.`);
    }
  };
}

/** For a flag that may be given several times. */
export function collect(text: string, previous: unknown): readonly string[] {
  return [...(Array.isArray(previous) ? (previous as string[]) : []), text];
}

/** For --logit-bias, which may be given several times: "42=-1.5"; "-inf" forbids the token. */
export function collectBias(text: string, previous: unknown): ReadonlyMap<number, number> {
  const [, id, bias = ""] = /^(\d+)=(.+)$/.exec(text) ?? [];
  if (id === undefined) {
    throw new InvalidArgumentError("Expected a token id and a number, such as 42=-1.5 or 42=-inf.");
  }
  const biases = previous instanceof Map ? (previous as ReadonlyMap<number, number>) : [];
  return new Map([...biases, [Number(id), /^-inf(inity)?$/i.test(bias) ? -Infinity : parseNumber(bias)]]);
}

/** For --template-var, which may be given several times: "enable_thinking=false". Other values are text. */
export function collectVariable(text: string, previous: unknown): Readonly<Record<string, unknown>> {
  const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) {
    throw new InvalidArgumentError("Expected a name and a value, such as enable_thinking=false.");
  }
  return { ...(previous as object | undefined), [name]: jsonOrText(value) };
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** JSON, or the path of a JSON file. */
export function parseJsonOrFile(text: string): unknown {
  const isTyped = /^\s*(\{|true\s*$|false\s*$)/.test(text);
  try {
    return JSON.parse(isTyped ? text : readFileSync(text, "utf8")) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`Expected JSON, or the path of a JSON file: ${why}.`);
  }
}

/** The text of a file. */
export function parseTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`Expected the path of a text file: ${why}.`);
  }
}

/** A name of a queue. BullMQ joins it with other names by colons. */
export function parseQueueName(text: string): string {
  if (/^[\w.-]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError("Expected letters, digits, points, hyphens and underscores.");
}
