// Bundles the script of workers to one file for each host, dist/worker.js and dist/worker-web.js. A bundler
// that copies a worker's file without its imports can copy these.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { noticeComment } from "./license-notices.mjs";

/** The bundle is the script of its own workers. Vite would look for the address of another one. */
const ownAddress = {
  name: "own-address",
  transform: (code, id) =>
    /platform[\\/](web|node)-threads\.js$/.test(id)
      ? code.replaceAll(/new URL\("\.\.\/[^"]+", import\.meta\.url\)/g, "new URL(import.meta.url)")
      : undefined,
};

/**
 * @param root the package's folder, with TypeScript's output in dist
 * @returns the paths of the modules that the bundles contain
 */
export async function bundleWorker(root) {
  const embedded = [];
  for (const [platform, name] of [
    ["node", "worker.js"],
    ["browser", "worker-web.js"],
  ]) {
    const bundle = await rolldown({
      input: join(root, "dist", "worker-model", "worker-script.js"),
      platform,
      plugins: [ownAddress],
      logLevel: "warn",
    });
    const { output } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false });
    await bundle.close();
    const [{ code, modules }] = output;
    const ids = Object.keys(modules);
    writeFileSync(join(root, "dist", name), noticeComment(ids) + code);
    embedded.push(...ids);
  }
  // The script exports nothing: it is for `workerUrl`, and not for an import.
  writeFileSync(join(root, "dist", "worker.d.ts"), "export {};\n");
  return embedded;
}
