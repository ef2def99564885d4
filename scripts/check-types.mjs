// `npm run test:types`: the packed package under publint, under "are the types wrong", and in the compilers
// from TypeScript 5.7 to 7, with each way to resolve modules, with and without the DOM lib. Tools come from
// npm into .cache/types.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";
import { installPackedProject } from "./packed-project.mjs";

const compilers = ["5.7.3", "5.8.3", "5.9.3", "6.0.3", "7.0.2"];
const tools = {
  ...Object.fromEntries(compilers.map((version) => [`typescript-${version}`, `npm:typescript@${version}`])),
  "@types/node": "^20.19.43",
  publint: "0.3.25",
  "@arethetypeswrong/cli": "0.18.5",
};

const root = ensureReady();
const folder = join(root, ".cache", "types");

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
  return { passed: status === 0, output: `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`.trim() };
}

let failures = 0;
function report(name, { passed, output }) {
  if (!passed) failures += 1;
  console.log(passed ? `${name}: no fault` : `${name}: FAULTY\n${output}`);
}

const tarball = installPackedProject(root, folder, tools);
const bin = (path) => join(folder, "node_modules", path);
report("publint", run(process.execPath, [bin("publint/src/cli.js"), "run", "--strict", tarball]));
// The package is ECMAScript modules only. CommonJS callers have `require` of Node.js 20.19, which the tool
// reports as "ESM (dynamic import only)", and the old resolution `node10` reads no `exports`.
report(
  "are the types wrong",
  run(process.execPath, [bin("@arethetypeswrong/cli/dist/index.js"), tarball, "--profile", "esm-only"]),
);

writeFileSync(
  join(folder, "main.ts"),
  `import { createServer, loadModel, type Chat, type LoadOptions } from "bitnet-wasm";
export async function main(): Promise<void> {
  const options: LoadOptions = { threads: 2, engine: { kernelBuild: "simd128" } };
  const model = await loadModel("model.gguf", options);
  const chat: Chat = model.chat({ system: "Be brief." });
  for await (const { text, usage } of chat.send("Hello")) console.log(text, usage?.generatedTokens);
  const response: Response = await createServer(model).fetch(new Request("http://localhost/health"));
  // @ts-expect-error No such option.
  console.log(response.status, await loadModel("model.gguf", { thread: 2 }));
  await model.dispose();
}
`,
);
const resolutions = [{ module: "NodeNext" }, { module: "ESNext", moduleResolution: "Bundler" }];
for (const compiler of compilers) {
  const faults = [];
  for (const resolution of resolutions)
    for (const lib of [["ES2022"], ["ES2023"], ["ES2022", "DOM"]]) {
      const compilerOptions = {
        target: "ES2022",
        lib,
        ...resolution,
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
      const { passed, output } = run(process.execPath, [bin(`typescript-${compiler}/bin/tsc`), "-p", folder]);
      if (!passed) faults.push(`${JSON.stringify({ ...resolution, lib })}\n${output}`);
    }
  report(`TypeScript ${compiler}, ${resolutions.length * 3} configurations`, {
    passed: faults.length === 0,
    output: faults.join("\n"),
  });
}
process.exitCode = failures === 0 ? 0 : 1;
