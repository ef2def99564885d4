// Checks every kernel: its contract is whole, it has a twin, and the builds import nothing and export these
// names only.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { enableRelaxedSimd } from "../dist/platform/engine-flags.js";
import { kernelSignatures } from "./kernel-signatures.mjs";

const read = (path) => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)));
const labels = ["Shapes", "Types", "Requires", "Range", "Exact", "Splits"];
const kernels = kernelSignatures();
const byName = new Map(kernels.map((kernel) => [kernel.name, kernel]));

/** The base of "Contract as <base>, but …"; undefined for a contract in full. */
const baseOf = ({ contract }) => /^Contract as (\w+), but /m.exec(contract)?.[1];

/** The parts that a contract in full lacks. */
function missingParts({ contract }) {
  const first = contract.search(/^(Shapes|Types|Requires|Range|Returns|Exact|Splits) /m);
  const missing = labels.filter((label) => !new RegExp(`^${label} +\\S`, "m").test(contract));
  return first > 0 ? missing : ["formula", ...missing];
}

/** The problems of a contract, in full or by reference to one in full. */
function contractProblems(kernel) {
  const base = baseOf(kernel);
  if (base === undefined) {
    const missing = missingParts(kernel);
    return missing.length > 0 ? [`its contract lacks ${missing.join(", ")}`] : [];
  }
  const other = byName.get(base);
  if (other === undefined) return [`its contract refers to ${base}, which is not a kernel`];
  return baseOf(other) === undefined ? [] : [`its contract is that of ${base}, which refers to another one`];
}

const twins = read("test/kernels/kernel-twins.ts").toString();
const problems = kernels.flatMap((kernel) => {
  const found = contractProblems(kernel);
  if (!new RegExp(`^  ${kernel.name}: `, "m").test(twins))
    found.push("it has no twin in test/kernels/kernel-twins.ts");
  return found.map((problem) => `${kernel.path}: ${kernel.name}: ${problem}`);
});

enableRelaxedSimd();
for (const target of ["debug", "simd128", "relaxed"]) {
  const module = new WebAssembly.Module(read(`build/${target}.wasm`));
  const imports = WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
  if (imports.join() !== "env.memory")
    problems.push(`${target} build: imports ${imports.join(", ")}, expected env.memory only`);
  const exported = WebAssembly.Module.exports(module)
    .filter(({ kind }) => kind === "function")
    .map(({ name }) => name);
  const extra = exported.filter((name) => !byName.has(name));
  if (extra.length > 0)
    problems.push(`${target} build: exports ${extra.join(", ")}, which assembly/index.ts does not`);
}

for (const problem of problems) console.error(problem);
console.log(`kernels: ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
