// Bundles for servers and single executables. Each gives the command that starts it.
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @param folder the project
 * @param binaries paths of runtimes by id
 * @param run runs a command in the project, and throws if it fails
 */
export function nodeApps(folder, binaries, run) {
  const bin = (path) => join(folder, "node_modules", path);
  const node = process.execPath;
  const esbuild = (...args) =>
    run(bin("@esbuild/linux-x64/bin/esbuild"), [
      "program.mjs",
      "--bundle",
      "--platform=node",
      "--log-level=error",
      ...args,
    ]);
  const config = (name, text) => {
    writeFileSync(join(folder, name), text);
    return name;
  };
  const apps = [
    {
      name: "esbuild, ECMAScript modules",
      build: () => esbuild("--format=esm", "--outfile=out/esbuild.mjs"),
      start: [node, ["out/esbuild.mjs"]],
    },
    {
      name: "esbuild, CommonJS, minified",
      build: () => esbuild("--format=cjs", "--minify", "--outfile=out/esbuild.cjs"),
      start: [node, ["out/esbuild.cjs"]],
    },
    {
      name: "webpack, Node.js",
      build: () =>
        run(node, [
          bin("webpack-cli/bin/cli.js"),
          "--config",
          config(
            "webpack.node.cjs",
            `module.exports = { mode: "production", target: "node20", entry: "./program.mjs",
               output: { path: __dirname + "/out", filename: "webpack.cjs" }, stats: "errors-only" };`,
          ),
        ]),
      start: [node, ["out/webpack.cjs"]],
    },
    {
      name: "Rollup, Node.js",
      build: () =>
        run(node, [
          bin("rollup/dist/bin/rollup"),
          "--silent",
          "--config",
          config(
            "rollup.config.mjs",
            `import resolve from "@rollup/plugin-node-resolve";
             export default { input: "program.mjs", plugins: [resolve({ preferBuiltins: true })],
               output: { dir: "out/rollup", format: "es", entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" } };`,
          ),
        ]),
      start: [node, ["out/rollup/program.mjs"]],
    },
    {
      name: "Vite, server-side rendering",
      build: () =>
        run(node, [
          bin("vite/bin/vite.js"),
          "build",
          "--logLevel=error",
          "--config",
          config(
            "vite.ssr.mjs",
            `export default { ssr: { noExternal: true },
               build: { ssr: "program.mjs", outDir: "out/vite-ssr", emptyOutDir: true } };`,
          ),
        ]),
      start: [node, ["out/vite-ssr/program.js"]],
    },
  ];
  const bun = binaries.get("bun");
  if (bun !== undefined)
    apps.push({
      name: "bun build --compile",
      build: () => run(bun, ["build", "--compile", "program.mjs", "--outfile", "out/bun-app"]),
      start: [join(folder, "out/bun-app"), []],
    });
  const node24 = binaries.get("node24");
  if (node24 !== undefined) apps.push(singleExecutable({ folder, node24, esbuild, run, bin }));
  const deno = binaries.get("deno");
  if (deno !== undefined)
    apps.push({
      name: "deno compile",
      build: () => {
        try {
          run(deno, [
            "compile",
            "-A",
            "--no-check",
            "--node-modules-dir=manual",
            "--output",
            "out/deno-app",
            "program.mjs",
          ]);
        } catch (error) {
          // It downloads a runtime, which not every network allows.
          if (/dl\.deno\.land|error sending request|client error/.test(error.message))
            return { missing: "NOT TESTED: the runtime for deno compile could not be downloaded" };
          throw error;
        }
      },
      start: [join(folder, "out/deno-app"), []],
    });
  return apps;
}

/** Node.js 24 with a CommonJS bundle inside. */
function singleExecutable({ folder, node24, esbuild, run, bin }) {
  return {
    name: "Node.js 24, single executable",
    build: () => {
      esbuild("--format=cjs", "--outfile=out/sea.cjs");
      const settings = { main: "out/sea.cjs", output: "out/sea.blob", disableExperimentalSEAWarning: true };
      writeFileSync(join(folder, "sea.json"), JSON.stringify(settings));
      run(node24, ["--experimental-sea-config", "sea.json"]);
      copyFileSync(node24, join(folder, "out/sea-app"));
      const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
      run(process.execPath, [
        bin("postject/dist/cli.js"),
        "out/sea-app",
        "NODE_SEA_BLOB",
        "out/sea.blob",
        "--sentinel-fuse",
        fuse,
      ]);
    },
    start: [join(folder, "out/sea-app"), []],
  };
}
