// Compiles JSON schemas as the engine does, for schema-suite.mjs and schema-bench.mjs.
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const dist = join(ensureReady(), "dist");
const { jsonSchemaSteps } = await import(join(dist, "grammar", "json-schema", "json-schema.js"));
const { compileSteps } = await import(join(dist, "grammar", "program.js"));
const { createAutomaton } = await import(join(dist, "grammar", "automaton.js"));

/** CPU milliseconds of this process: other programs on the machine do not count. */
export function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Compiles a schema.
 *
 * @param schema parsed JSON.
 * @param options `isLoose`: keywords that no grammar can keep to are left out (default: false). `limitMs`:
 *   CPU milliseconds (default: no limit).
 * @returns the reason of a refusal with its place, or an automaton and the warnings. No text fits an
 *   undefined automaton.
 */
export function compileSchema(schema, { isLoose = false, limitMs = Infinity } = {}) {
  const warnings = [];
  const begin = cpuMs();
  const drain = (steps) => {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      if (cpuMs() - begin > limitMs) throw new TimeLimitError(limitMs);
    }
  };
  try {
    const expression = drain(
      jsonSchemaSteps(schema, isLoose ? (warning) => warnings.push(warning) : undefined),
    );
    const program = drain(compileSteps(expression));
    const automaton = program && createAutomaton(program);
    return { automaton, warnings, ms: cpuMs() - begin };
  } catch (error) {
    if (error.code !== "INVALID_ARGUMENT" && !(error instanceof TimeLimitError)) throw error;
    const place = error.details?.path;
    const problem = error.message.replace(
      /^Cannot keep to the (JSON schema|grammar|grammar or schema): /,
      "",
    );
    const reason = place === undefined ? problem : problem.slice(`at ${place}, `.length);
    return { refused: { place, reason }, warnings, ms: cpuMs() - begin };
  }
}

class TimeLimitError extends Error {
  constructor(limitMs) {
    super(`the compilation takes more than ${limitMs} ms`);
  }
}

/** @returns the number of bytes that a text may begin with, or undefined if the whole text fits. */
export function misfit(automaton, text) {
  let state = automaton?.start;
  const bytes = new TextEncoder().encode(text);
  for (const [index, byte] of bytes.entries()) {
    state &&= automaton.next(state, byte);
    if (state === undefined) return index;
  }
  return state?.accepting === true ? undefined : bytes.length;
}
