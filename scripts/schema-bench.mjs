// `node scripts/schema-bench.mjs FOLDER [--list] [--sample N] [--only TEXT]`: how the grammar treats schemas
// of real programs, such as the folder maskbench/data of github.com/guidance-ai/jsonschemabench.
//
// FOLDER has a folder of schemas for each data set, or files whose names begin with that of the set. A file
// is a schema, or it has a `schema` and its `tests`: instances, with the answer of a validator.
//
// A fault is a text that fits the grammar of a schema, is invalid, and violates no keyword that was left out.
// The texts are the instances of the file, and texts that are drawn from the grammar and checked by ajv. The
// exit code is 1 if there are faults. Times are CPU milliseconds of the compilation.
//
// --list      also prints each refused schema, each valid instance that does not fit, and each fault
// --sample N  takes N schemas of each set, the same ones in every run
// --only TEXT takes files with TEXT in their names
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import Ajv from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { compileSchema, cpuMs, misfit } from "./schema-grammar.mjs";

/** CPU milliseconds for one schema in one mode, and for one drawn text. */
const limitMs = 5000;
const drawMs = 500;
const textsOfSchema = 3;
const maxTextBytes = 4000;
/** Bytes after which a drawn text ends as soon as it can. */
const longText = 1000;
const shownReasons = 8;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: "boolean", default: false },
    sample: { type: "string" },
    only: { type: "string", default: "" },
  },
});
const [folder] = positionals;
const sample = values.sample === undefined ? Infinity : Number(values.sample);
if (folder === undefined || !existsSync(folder) || !(sample >= 1)) {
  console.error(
    "usage: node scripts/schema-bench.mjs FOLDER [--list] [--sample N] [--only TEXT]: N is from 1",
  );
  process.exit(2);
}

/** The files of each data set. */
function filesOfSets() {
  const sets = new Map();
  const add = (set, file) => sets.set(set, [...(sets.get(set) ?? []), file]);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      for (const name of readdirSync(path)) if (name.endsWith(".json")) add(entry.name, join(path, name));
    } else if (entry.name.endsWith(".json")) add(/^.*?(?=---)|^[^_.]+/.exec(entry.name)?.[0] ?? "", path);
  }
  return sets;
}

/** Numbers from 0 to 1, the same for every run. */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function drawn(files) {
  const random = randomFrom(1);
  const keyed = files.toSorted().map((file) => [random(), file]);
  return keyed
    .toSorted(([a], [b]) => a - b)
    .slice(0, sample)
    .map(([, file]) => file);
}

/** @returns a text of the automaton, or undefined if it takes too long. */
function drawText({ start, classOf, next }, random) {
  const classes = new Map();
  for (const [byte, each] of classOf.entries()) classes.set(each, [...(classes.get(each) ?? []), byte]);
  const choices = [...classes.values()];
  const endings = [...'"]}'].map((character) => [character.charCodeAt(0)]);
  const begin = cpuMs();
  const bytes = [];
  let state = start;
  while (state.open && bytes.length < maxTextBytes && cpuMs() - begin < drawMs) {
    const isLong = bytes.length > longText;
    if (state.accepting && (isLong || random() < 0.5)) break;
    const order = choices.map((each) => [random(), each]).toSorted(([a], [b]) => a - b);
    const from = [...(isLong || random() < 0.5 ? endings : []), ...order.map(([, each]) => each)];
    let after;
    for (const each of from) {
      const byte = each[Math.floor(random() * each.length)];
      after = next(state, byte);
      if (after === undefined) continue;
      bytes.push(byte);
      break;
    }
    if (after === undefined) throw new Error("a text of the grammar cannot be completed");
    state = after;
  }
  return state.accepting
    ? new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes))
    : undefined;
}

/** The limits of draft 4 are true beside `minimum` and `maximum`. */
function allowDraft4(ajv) {
  const limits = [
    ["exclusiveMinimum", "minimum", (value, limit) => value > limit],
    ["exclusiveMaximum", "maximum", (value, limit) => value < limit],
  ];
  for (const [keyword, inclusive, fits] of limits) {
    ajv.removeKeyword(keyword);
    ajv.addKeyword({
      keyword,
      type: "number",
      schemaType: ["number", "boolean"],
      compile(given, { [inclusive]: other }) {
        const limit = given === true ? other : given;
        return typeof limit === "number" ? (value) => fits(value, limit) : () => true;
      },
    });
  }
  ajv.removeKeyword("id");
  ajv.addKeyword("id");
  return ajv;
}

/** @returns undefined if ajv cannot read the schema. */
function validatorOf(schema) {
  const dialect = typeof schema.$schema === "string" ? schema.$schema : "";
  const Kind = dialect.includes("2020-12") ? Ajv2020 : dialect.includes("2019-09") ? Ajv2019 : Ajv.default;
  const options = { strict: false, validateSchema: false, logger: false, ownProperties: true };
  const ajv = allowDraft4(new Kind(options));
  formats.default(ajv);
  try {
    return ajv.compile({ ...schema, $schema: undefined });
  } catch {
    return undefined;
  }
}

/** The reason without the names, addresses and numbers of one schema. */
function kindOf({ reason }) {
  return reason
    .replace(/\b(is|names) (\{.*\}|\[.*\]|"[^"]*"|-?\d\S*|#\S*)/, "$1 …")
    .replace(/"[^"]*"/g, (quoted) => (/^"[\w$…]*"$/.test(quoted) ? quoted : '"…"'))
    .replace(/\d+/g, "N");
}

function percent(part, all) {
  return all === 0 ? "–" : `${((100 * part) / all).toFixed(1)} %`;
}

function emptyCounts() {
  const instances = () => ({ valid: 0, taken: 0, invalid: 0, wronglyTaken: 0 });
  return {
    schemas: 0,
    strict: { accepted: 0, ...instances(), drawn: 0, faults: 0 },
    loose: { accepted: 0, ...instances(), drawn: 0, faults: 0 },
    times: [],
    reasons: new Map(),
    left: new Map(),
  };
}

function countReason(reasons, kind, name) {
  const known = reasons.get(kind) ?? [];
  reasons.set(kind, [...known, name]);
}

function list(line) {
  if (values.list) console.log(line);
}

/** Counts the instances of the file and the drawn texts in one mode. */
function checkTexts(name, { schema, tests }, { automaton, warnings }, counts) {
  const isLoose = warnings.length > 0;
  for (const { data, valid } of tests) {
    const text = JSON.stringify(data);
    const at = misfit(automaton, text);
    counts[valid ? "valid" : "invalid"] += 1;
    if (at === undefined) counts[valid ? "taken" : "wronglyTaken"] += 1;
    if (valid && at !== undefined)
      list(`narrower ${name}: ${text.slice(Math.max(0, at - 60), at)} ‖ ${text.slice(at, at + 40)}`);
    if (!valid && at === undefined && !isLoose) list(`FAULT    ${name}: ${text.slice(0, 300)}`);
  }
  if (automaton === undefined) return;
  const validate = validatorOf(schema);
  if (validate === undefined) return;
  const random = randomFrom(name.length);
  for (let index = 0; index < textsOfSchema; index += 1) {
    const text = drawText(automaton, random);
    if (text === undefined) continue;
    counts.drawn += 1;
    if (validate(JSON.parse(text))) continue;
    counts.faults += 1;
    const { instancePath, message } = validate.errors[0];
    if (!isLoose) list(`FAULT    ${name}: drawn, at ${instancePath}, ${message}: ${text.slice(0, 300)}`);
  }
}

function measure(file, counts) {
  const name = basename(file);
  const parsed = JSON.parse(readFileSync(file, "utf8"));
  const isTest = typeof parsed === "object" && parsed !== null && Array.isArray(parsed.tests);
  const given = isTest ? parsed : { schema: parsed, tests: [] };
  counts.schemas += 1;
  let compiled = compileSchema(given.schema, { limitMs });
  const isStrict = compiled.refused === undefined;
  if (!isStrict) {
    const { refused } = compiled;
    countReason(counts.reasons, kindOf(refused), name);
    list(`refused  ${name}: at ${refused.place}, ${refused.reason.slice(0, 300)}`);
    compiled = compileSchema(given.schema, { isLoose: true, limitMs });
    if (compiled.refused !== undefined) countReason(counts.left, kindOf(compiled.refused), name);
  }
  counts.times.push(compiled.ms);
  if (compiled.refused !== undefined) return;
  const mode = isStrict ? counts.strict : counts.loose;
  mode.accepted += 1;
  checkTexts(name, given, compiled, mode);
}

function printReasons(title, reasons) {
  const sorted = [...reasons].toSorted(([, a], [, b]) => b.length - a.length);
  if (sorted.length > 0) console.log(`  ${title}`);
  for (const [kind, names] of values.list ? sorted : sorted.slice(0, shownReasons))
    console.log(`    ${String(names.length).padStart(5)}  ${kind} (${names[0]})`);
}

function printCounts(title, { schemas, strict, loose, times, reasons, left }) {
  const share = (part, all) => `${part} of ${all} (${percent(part, all)})`;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(1);
  console.log(`${title}: ${share(strict.accepted, schemas)} schemas accepted`);
  console.log(`  loose: ${share(strict.accepted + loose.accepted, schemas)}`);
  console.log(`  valid instances: ${share(strict.taken, strict.valid)} fit`);
  console.log(`  invalid instances: ${share(strict.wronglyTaken, strict.invalid)} fit: faults`);
  console.log(`  drawn texts: ${share(strict.drawn - strict.faults, strict.drawn)} valid`);
  if (loose.accepted > 0) {
    console.log(`  loose only: ${share(loose.taken, loose.valid)} valid instances fit,`);
    console.log(`    ${share(loose.wronglyTaken, loose.invalid)} invalid instances fit,`);
    console.log(`    ${share(loose.drawn - loose.faults, loose.drawn)} drawn texts valid`);
  }
  console.log(`  compilation: median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms, largest ${at(1)} ms`);
  printReasons("reasons of refusal:", reasons);
  printReasons("refused also by the loose mode:", left);
}

/** Adds the counts of one set to those of all. */
function addCounts(sum, counts) {
  sum.schemas += counts.schemas;
  for (const mode of ["strict", "loose"])
    for (const [name, value] of Object.entries(counts[mode])) sum[mode][name] += value;
  sum.times.push(...counts.times);
  for (const which of ["reasons", "left"])
    for (const [kind, names] of counts[which])
      sum[which].set(kind, [...(sum[which].get(kind) ?? []), ...names]);
}

const total = emptyCounts();
for (const [set, files] of filesOfSets()) {
  const counts = emptyCounts();
  const chosen = drawn(files.filter((file) => basename(file).includes(values.only)));
  for (const file of chosen) measure(file, counts);
  if (chosen.length === 0) continue;
  printCounts(set, counts);
  addCounts(total, counts);
}
printCounts("All", total);
process.exit(total.strict.wronglyTaken + total.strict.faults === 0 ? 0 : 1);
