import { copyFile, mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A folder whose node_modules has this package, as a user's project has it. */
export async function projectFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bitnet-bundle-"));
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules", "bitnet-wasm"), "junction");
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return folder;
}

/** Bundles a program of test/bundles/app in a project. @returns the path of the bundle. */
export async function bundle(
  folder: string,
  program: string,
  options: { readonly platform: "node" | "browser"; readonly format: "esm" | "cjs" },
): Promise<string> {
  const input = join(folder, program);
  await copyFile(fileURLToPath(new URL(`../bundles/app/${program}`, import.meta.url)), input);
  const built = await rolldown({ input, cwd: folder, platform: options.platform, logLevel: "silent" });
  const extension = options.format === "cjs" ? "cjs" : "mjs";
  const name = `bundle.${extension}`;
  await built.write({
    dir: join(folder, options.format),
    format: options.format,
    entryFileNames: name,
    chunkFileNames: `[name]-[hash].${extension}`,
  });
  await built.close();
  return join(folder, options.format, name);
}
