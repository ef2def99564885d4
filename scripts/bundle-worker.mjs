// Bundles the script of worker threads to one file for each host, dist/worker.js and dist/worker-web.js. A
// bundler that copies a worker's file without its imports can copy these.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

/** @param root the package's folder, with TypeScript's output in dist */
export async function bundleWorker(root) {
  for (const [platform, name] of [
    ["node", "worker.js"],
    ["browser", "worker-web.js"],
  ]) {
    const bundle = await rolldown({
      input: join(root, "dist", "graph", "worker-script.js"),
      platform,
      logLevel: "warn",
    });
    await bundle.write({ file: join(root, "dist", name), format: "esm", minify: true });
    await bundle.close();
  }
  // The script exports nothing: it is for `workerUrl`, and not for an import.
  writeFileSync(join(root, "dist", "worker.d.ts"), "export {};\n");
}
