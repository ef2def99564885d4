// The command line of the comparison.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { cacheTypes } from "../../dist/wasm/cache-types.js";
import { dummyShapes } from "../../dist/tools/dummy/shapes.js";
import { runtimes } from "../../scripts/runtime-binaries.mjs";

export const help = `npm run bench:compare -- [options]

Measures this library and node-llama-cpp on the same weights, alternately in one run, and keeps every number under bench/results.

  --runtimes         this library on Node.js 20 to 26, Deno and Bun, installed into .cache/runtimes, not only on this Node.js
  --only LIST        some of them: ${runtimes.map(({ id }) => id).join(",")}
  --native PATH      also a native llama-bench: of bitnet.cpp, ik_llama.cpp or llama.cpp
  --native-model FILE   its model (default: the TQ2_0 file that node-llama-cpp gets)
  --chromium         also this library in a page, cross-origin isolated, in the Chromium of the PATH or of CHROMIUM
  --wllama           also wllama in such a page, installed into .cache/wllama, on the TQ2_0 file
  --no-rival         without node-llama-cpp
  --quick            short tests, few rounds: a few minutes on two cores with --runtimes
  --tests LIST       only these tests, such as pp32,tg8, for slow sides
  --positions LIST   only decode, after prompts of so many tokens, such as 0,1000,2000,4000, on every side but --native
  --size SIZE        a shape of \`bitnet dummy\` (default: 2B4T)
  --threads N        of each side (default: 2)
  --rounds N         how often each test is measured on each side (default: 5; 3 with --quick)
  --loads N          how often each side is started (default: 3; 1 with --quick)
  --node PATH        run this library on another Node.js than this one
  --choices JSON     engine options of loadModel for this library, such as '{"kernels256":false}'
  --cache-types LIST this library with each of these KV caches: f16,int8 (default: f16; not in pages)
  --models FOLDER    where the model files are kept (default: .cache/models)
  --results FOLDER   where results are written (default: bench/results)
  --print FILE       print the tables of results that were kept, and measure nothing
`;

/** Wrong usage: one line for people, exit status 2. */
export class UsageError extends Error {}

const whole = { type: "string" };

/** @throws UsageError */
export function parseOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        runtimes: { type: "boolean", default: false },
        only: { type: "string" },
        rival: { type: "boolean", default: true },
        chromium: { type: "boolean", default: false },
        wllama: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        tests: whole,
        positions: whole,
        size: { type: "string", default: "2B4T" },
        threads: whole,
        rounds: whole,
        loads: whole,
        node: { type: "string" },
        native: { type: "string" },
        "native-model": { type: "string" },
        choices: { type: "string", default: "{}" },
        "cache-types": { type: "string", default: "f16" },
        models: { type: "string" },
        results: { type: "string" },
        print: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
      allowNegative: true,
    }));
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { quick, native, "native-model": nativeModel } = values;
  if (values.tests !== undefined && values.positions !== undefined)
    throw new UsageError("--tests and --positions both choose the tests: give one of them");
  if (nativeModel !== undefined && native === undefined)
    throw new UsageError("--native-model is the model of --native PATH: give both");
  for (const [flag, path] of Object.entries({ native, "native-model": nativeModel }))
    if (path !== undefined && !existsSync(path))
      throw new UsageError(`--${flag} ${path}: there is no such file`);
  return {
    ...values,
    nativeModel,
    positions: values.positions?.split(",").map((text) => count("--positions", text, 0, 1_000_000, 0)),
    tests: values.tests?.split(",").map(test),
    size: size(values.size),
    threads: count("--threads", values.threads, 2, 256),
    rounds: count("--rounds", values.rounds, quick ? 3 : 5, 1000),
    loads: count("--loads", values.loads, quick ? 1 : 3, 100),
    choices: jsonObject("--choices", values.choices),
    cacheTypes: values["cache-types"].split(",").map(cacheType),
    runtimeIds: runtimeIds(values),
  };
}

function cacheType(name) {
  if (cacheTypes.includes(name)) return name;
  throw new UsageError(`--cache-types ${name}: expected ${cacheTypes.join(" or ")}`);
}

/** A test by its name, without a position. */
function test(name) {
  const [, kind, tokens] = /^(pp|tg)([1-9]\d{0,4})$/.exec(name) ?? [];
  if (kind === undefined)
    throw new UsageError(`--tests ${name}: expected pp or tg and a number, such as tg8`);
  return { kind, tokens: Number(tokens), position: 0 };
}

function size(wanted) {
  const names = [...dummyShapes.keys()];
  const name = names.find((known) => known.toLowerCase() === wanted.toLowerCase());
  if (name === undefined) throw new UsageError(`--size ${wanted}: expected one of ${names.join(", ")}`);
  return name;
}

function count(flag, text, otherwise, most, least = 1) {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${flag} ${text}: expected a whole number from ${least} to ${most}`);
}

function jsonObject(flag, text) {
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The same complaint as for JSON that is no object.
  }
  throw new UsageError(`${flag} ${text}: expected a JSON object`);
}

/** The wanted runtimes. Undefined means the one that runs this. */
function runtimeIds({ runtimes: all, only, node }) {
  if (!all && only === undefined) return undefined;
  if (node !== undefined)
    throw new UsageError("--node is for one runtime: leave it out with --runtimes and --only");
  const known = runtimes.map(({ id }) => id);
  const wanted = only === undefined ? known : only.split(",").map((id) => id.trim());
  const unknown = wanted.find((id) => !known.includes(id));
  if (unknown !== undefined)
    throw new UsageError(`--only ${only}: "${unknown}" is none of ${known.join(", ")}`);
  return wanted;
}
