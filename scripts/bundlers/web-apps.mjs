// Bundles for pages. Each writes a folder with index.html and its scripts.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const page = (script, more = "") =>
  `<!doctype html><title>bundle</title>${more}<script type="module" src="${script}"></script>`;
/** For bundlers that do not bundle the script of `new Worker(new URL(…))`. */
const workerHint = `<script>globalThis.workerUrl = "/worker.js";</script>`;

export function webApps(folder, run) {
  const bin = (path) => join(folder, "node_modules", path);
  const output = (name) => join(folder, "out", name);
  const write = (path, text) => writeFileSync(join(folder, path), text);
  const withPage = (name, more) => {
    mkdirSync(output(name), { recursive: true });
    write(join("out", name, "index.html"), page("page.js", more));
  };
  const withWorker = (name) => {
    withPage(name, workerHint);
    copyFileSync(bin("bitnet-wasm/dist/worker-web.js"), join(output(name), "worker.js"));
  };
  return [
    {
      name: "Vite, browser",
      output: output("vite-web"),
      build() {
        write("index.html", page("/page.mjs"));
        write(
          "vite.web.mjs",
          `export default { build: { outDir: "out/vite-web", emptyOutDir: true, target: "esnext" } };`,
        );
        run(process.execPath, [
          bin("vite/bin/vite.js"),
          "build",
          "--logLevel=error",
          "--config",
          "vite.web.mjs",
        ]);
      },
    },
    {
      name: "webpack, browser",
      output: output("webpack-web"),
      build() {
        withPage("webpack-web");
        write(
          "webpack.web.cjs",
          `module.exports = { mode: "production", target: "web", entry: "./page.mjs", stats: "errors-only",
             performance: { hints: false },
             output: { path: __dirname + "/out/webpack-web", filename: "page.js" } };`,
        );
        run(process.execPath, [bin("webpack-cli/bin/cli.js"), "--config", "webpack.web.cjs"]);
      },
    },
    {
      name: "esbuild, browser, worker file",
      output: output("esbuild-web"),
      build() {
        withWorker("esbuild-web");
        run(bin("@esbuild/linux-x64/bin/esbuild"), [
          "page.mjs",
          "--bundle",
          "--format=esm",
          "--platform=browser",
          "--log-level=error",
          "--outfile=out/esbuild-web/page.js",
        ]);
      },
    },
    {
      name: "Rollup, browser, worker file",
      output: output("rollup-web"),
      build() {
        withWorker("rollup-web");
        write(
          "rollup.web.mjs",
          `import resolve from "@rollup/plugin-node-resolve";
           export default { input: "page.mjs", plugins: [resolve({ browser: true })],
             output: { dir: "out/rollup-web", format: "es", entryFileNames: "[name].js" } };`,
        );
        run(process.execPath, [bin("rollup/dist/bin/rollup"), "--silent", "--config", "rollup.web.mjs"]);
      },
    },
  ];
}
