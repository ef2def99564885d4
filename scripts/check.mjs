// `npm run check`: everything that is verified besides the tests. Each check runs even if one before it
// failed.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";

const root = ensureReady();
const bin = (path) => join(root, "node_modules", path);
const checks = [
  ["format", [bin("prettier/bin/prettier.cjs"), "--check", "--log-level", "warn", "."]],
  ["types of tests", [bin("typescript/bin/tsc"), "-p", "tsconfig.test.json"]],
  ["lint", [bin("eslint/bin/eslint.js"), "--max-warnings", "0", "."]],
  ["tiles", [join(root, "scripts", "tiles.mjs"), "--check"]],
  ["kernels", [join(root, "scripts", "check-kernels.mjs")]],
  ["layers", [join(root, "scripts", "layers.mjs")]],
  ["field docs", [join(root, "scripts", "field-docs.mjs"), "--check"]],
  ["option docs", [join(root, "scripts", "option-docs.mjs"), "--check"]],
  ["links of docs", [join(root, "scripts", "doc-links.mjs")]],
  ["prose", [join(root, "scripts", "prose.mjs")]],
  ["public API", [bin("@microsoft/api-extractor/bin/api-extractor"), "run"]],
  [
    "types of ai-sdk",
    [bin("@microsoft/api-extractor/bin/api-extractor"), "run", "-c", "api-extractor-ai-sdk.json"],
  ],
  ["package", [join(root, "scripts", "check-package.mjs")]],
];
const failed = checks.filter(([name, args]) => {
  console.log(`check: ${name}`);
  return spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status !== 0;
});
if (failed.length > 0) {
  console.error(`failed: ${failed.map(([name]) => name).join(", ")}`);
  process.exit(1);
}
console.log("all checks passed");
