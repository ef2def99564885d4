// Bundles what Node.js runs to a few files in dist/node: the library, the provider of the AI SDK, the command
// and the script of a team's threads. Node.js takes longer to find and read hundreds of modules than to run
// them. The entries share their code, so that a BitNetError of one is a BitNetError of the others.
import { join, relative, sep } from "node:path";
import { rolldown } from "rolldown";

/** Each file of dist/node, and the module in dist that it is made from. */
const entries = {
  index: "index.js",
  "ai-sdk": "ai-sdk/index.js",
  bitnet: "cli/main.js",
  "worker-script": "graph/worker-script.js",
};

/** Team threads start from the bundle of their script. */
const threadScript = {
  file: "platform/node-threads.js",
  from: "../graph/worker-script.js",
  to: "./worker-script.js",
};

/**
 * An address beside `import.meta.url` must mean the same file in dist/node as in the module's own folder. It
 * does for modules in folders of dist, and for no others.
 */
function ownAddresses(dist) {
  return {
    name: "own-addresses",
    transform(code, id) {
      if (!id.startsWith(dist + sep) || !code.includes("import.meta")) return undefined;
      const path = relative(dist, id).split(sep);
      const name = path.join("/");
      if (path.length !== 2)
        throw new Error(
          `${name} has an address of its own, which only files in the folders of src/ may have`,
        );
      if (name !== threadScript.file) return undefined;
      if (!code.includes(`"${threadScript.from}"`)) throw new Error(`${name} has no ${threadScript.from}`);
      return code.replace(threadScript.from, threadScript.to);
    },
  };
}

/** @returns the paths of a module and of all that it imports, without the modules of a later `import()`. */
function importedBy(id, context, seen = new Set()) {
  const info = seen.has(id) ? null : context.getModuleInfo(id);
  if (info === null) return seen;
  seen.add(id);
  for (const next of info.importedIds) importedBy(next, context, seen);
  return seen;
}

/**
 * A group of the modules that an entry imports, in one file: each file costs time at every start. The entry
 * itself stays out, because what it does on import is for its own file only.
 */
function groupOf(name, entry) {
  let members;
  return {
    debugName: name,
    name: (id, context) => {
      members ??= importedBy(entry, context);
      return members.has(id) && id !== entry ? name : null;
    },
  };
}

/**
 * @param root the package's folder, with TypeScript's output in dist
 * @returns the paths of the modules that the bundles contain
 */
export async function bundleNode(root) {
  const dist = join(root, "dist");
  const input = Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(dist, path)]));
  const bundle = await rolldown({
    input,
    platform: "node",
    // Packages stay packages.
    external: /^(?![.#/]|[A-Za-z]:[\\/])/,
    plugins: [ownAddresses(dist)],
    logLevel: "warn",
  });
  const { output } = await bundle.write({
    dir: join(dist, "node"),
    format: "esm",
    entryFileNames: "[name].js",
    // Not in a folder: see ownAddresses.
    chunkFileNames: "[name]-[hash].js",
    comments: false,
    codeSplitting: {
      // The first group that has a module gets it. A thread loads the first only.
      groups: [groupOf("team", input["worker-script"]), groupOf("library", input.index)],
    },
  });
  await bundle.close();
  return output.flatMap((file) => (file.type === "chunk" ? Object.keys(file.modules) : []));
}
