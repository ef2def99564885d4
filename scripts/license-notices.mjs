// The license texts of packages whose code is in files of dist. The licenses demand that copies keep them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Packages that publish no license text, and the package of the same project that does. */
const projects = { "@assemblyscript/loader": "assemblyscript" };
/** Packages whose code is in the kernels: AssemblyScript's standard library. */
const compiledIn = ["assemblyscript"];

/** @returns the folder of the package that a module is from; undefined for a module outside node_modules. */
export function packageFolder(id) {
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/@][^\\/]*/.exec(id)?.[0];
}

/** @returns name, version and license of a package, such as "hono 4.13.19 (MIT)". */
function labelOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { name, label: `${name} ${version} (${license})` };
}

/** @throws Error for a package without a license text. */
function licenseText(root, folder, name) {
  const source = projects[name] === undefined ? folder : join(root, "node_modules", projects[name]);
  const files = readdirSync(source).sort();
  const licenses = files.filter((file) => /^(licen[cs]e|copying)\b/i.test(file));
  if (licenses.length === 0)
    throw new Error(
      `${name} is inside a file of dist, and publishes no license text; add its project to scripts/license-notices.mjs`,
    );
  const notices = files.filter((file) => /^notice\b/i.test(file));
  return [...licenses, ...notices]
    .map((file) => readFileSync(join(source, file), "utf8").trim())
    .join("\n\n");
}

const foldersOf = (ids) =>
  [...new Set(ids.map(packageFolder).filter((folder) => folder !== undefined))].sort();

/** @returns a comment that names the packages of a bundle; empty if it has none */
export function noticeComment(ids) {
  const labels = foldersOf(ids).map((folder) => labelOf(folder).label);
  if (labels.length === 0) return "";
  return `/*! Contains ${labels.join(", ")}. Licenses: dist/THIRD-PARTY-LICENSES.txt of bitnet-wasm */\n`;
}

/** @returns every license text once, under the packages that it is for */
export function licenseNotices(root, ids) {
  const compiled = compiledIn.map((name) => join(root, "node_modules", name));
  const labels = new Map();
  for (const folder of [...foldersOf(ids), ...compiled]) {
    const { name, label } = labelOf(folder);
    const text = licenseText(root, folder, name);
    labels.set(text, [...(labels.get(text) ?? []), label]);
  }
  const rule = "=".repeat(80);
  const sections = Array.from(
    labels,
    ([text, names]) => `${rule}\n${names.join("\n")}\n${rule}\n\n${text}\n`,
  );
  return ["The files of this folder contain code of these packages.\n", ...sections].join("\n");
}

/** @param ids the paths of all modules that bundles of dist contain */
export function writeLicenseNotices(root, ids) {
  writeFileSync(join(root, "dist", "THIRD-PARTY-LICENSES.txt"), licenseNotices(root, ids));
}
