// `npm run docs`: builds the documentation site into site/dist. Its packages are in site/node_modules.
// A dead link or anchor fails. REPOSITORY_URL gives links into the code an address, and SITE_BASE is the path
// of the site. With `-- --skip-offline`, nothing is built if npm cannot reach its registry.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureReady } from "./ensure-ready.mjs";
import { endIfOffline } from "./npm-registry.mjs";
import { guides, references } from "../site/.vitepress/pages.mjs";

const root = ensureReady();
const site = join(root, "site");
const dist = join(site, "dist");
/** A stand-in for the address of the site. */
const origin = `http://site${process.env.SITE_BASE ?? "/"}`;
const bin = (path) => join(site, "node_modules", path);

function run(name, command, args) {
  const shell = process.platform === "win32";
  const { status } = spawnSync(command, args, { cwd: site, stdio: "inherit", shell });
  if (status === 0) return;
  console.error(`docs: ${name} failed`);
  process.exit(status ?? 1);
}

install();
rmSync(join(site, "api"), { recursive: true, force: true });
run("the API reference", process.execPath, [bin("typedoc/bin/typedoc"), "--treatWarningsAsErrors"]);
run("the site", process.execPath, [bin("vitepress/bin/vitepress.js"), "build"]);

const problems = [...pagesWithoutPlace(), ...deadAnchors()];
for (const problem of problems) console.error(`docs: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(`docs: site/dist has ${htmlFiles().length} pages, and no dead links`);

function install() {
  const { status, stdout, stderr } = spawnSync(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    { cwd: site, encoding: "utf8", shell: process.platform === "win32" },
  );
  if (status === 0) return;
  const output = `${stdout}${stderr}`;
  endIfOffline("the documentation site", output);
  console.error(`docs: npm ci failed:\n${output}`);
  process.exit(status ?? 1);
}

/** Pages of docs/ that the sidebar lacks. */
function pagesWithoutPlace() {
  const listed = new Set([...guides, references].flatMap(({ items }) => items.map(({ link }) => link)));
  return htmlFiles()
    .map((file) => `/${file.replace(/\.html$/, "")}`)
    .filter((page) => !listed.has(page) && !/^\/(api\/|index$|404$)/.test(page))
    .map((page) => `${page} has no place in site/.vitepress/pages.mjs`);
}

/** Links to a heading that does not exist. VitePress finds missing pages, but not missing headings. */
function deadAnchors() {
  const html = new Map(htmlFiles().map((file) => [file, readFileSync(join(dist, file), "utf8")]));
  const idsOf = (text) => new Set(Array.from(text.matchAll(/ id="([^"]+)"/g), ([, id]) => id));
  const ids = new Map(Array.from(html, ([file, text]) => [file, idsOf(text)]));
  return Array.from(html).flatMap(([file, text]) =>
    Array.from(text.matchAll(/ href="([^"]*#[^"]+)"/g), ([, href]) => new URL(href, `${origin}${file}`))
      .filter((url) => url.href.startsWith(origin))
      .map((url) => [fileOf(url), decodeURIComponent(url.hash.slice(1))])
      .filter(([target, anchor]) => ids.get(target)?.has(anchor) !== true)
      .map(([target, anchor]) => `${file} links to ${target}#${anchor}, which does not exist`),
  );
}

/** The file of a page in site/dist. Addresses of pages have no ".html". */
function fileOf(url) {
  const page = url.href.replace(/#.*/, "").slice(origin.length);
  if (page === "" || page.endsWith("/")) return `${page}index.html`;
  return page.endsWith(".html") ? page : `${page}.html`;
}

function htmlFiles() {
  return readdirSync(dist, { recursive: true })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".html"));
}
