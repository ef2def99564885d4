/** Milliseconds of Go's units of time. */
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const wholeDuration = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/;
const durationPart = /(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g;

/** The forms of Ollama's `keep_alive`, for messages. */
export const keepAliveForms = 'a number of seconds, a time such as "5m" or "1h30m", or -1 for always';

/**
 * Reads a time in the forms of Ollama's `keep_alive`.
 *
 * @returns milliseconds. Infinity is for always. Undefined for another form.
 */
export function parseKeepAlive(value: string | number): number | undefined {
  const seconds = typeof value === "number" ? value : value === "" ? NaN : Number(value);
  if (!Number.isNaN(seconds)) return seconds < 0 ? Infinity : seconds * 1000;
  const text = String(value);
  const sign = wholeDuration.exec(text)?.[1];
  if (sign === undefined) return undefined;
  if (sign === "-") return Infinity;
  return [...text.matchAll(durationPart)].reduce(
    (sum, [, count = "", unit = ""]) => sum + Number(count) * (unitMs[unit] ?? 0),
    0,
  );
}
