// Fails if a link of a Markdown file names a file or a heading that does not exist. Pages of docs/ also need
// a place in the sidebar of the site. `npm run docs` checks the built site.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { guides, references } from "../site/.vitepress/pages.mjs";
import { slugify } from "../site/.vitepress/slugify.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Committed and new Markdown files, as paths with slashes. */
function markdownFiles() {
  const { status, stdout, stderr } = spawnSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`git ls-files failed: ${stderr}`);
  return stdout.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
}

/** The text without code: links in it are not links. */
function withoutCode(text) {
  return text
    .replaceAll(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm, "")
    .replaceAll(/(`+)[^`]+?\1/g, "");
}

const pages = new Map();
function pageOf(path) {
  if (!pages.has(path)) pages.set(path, readFileSync(join(root, path), "utf8"));
  return pages.get(path);
}

const anchorsOfPages = new Map();
/** Anchors of a page's headings, and of HTML ids. A second heading of the same text ends with -1. */
function anchorsOf(path) {
  const known = anchorsOfPages.get(path);
  if (known !== undefined) return known;
  const text = pageOf(path).replaceAll(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^ *\2[^\n]*$/gm, "");
  const anchors = new Set(Array.from(text.matchAll(/ id="([^"]+)"/g), ([, id]) => id));
  const counts = new Map();
  for (const [, heading] of text.matchAll(/^#{1,6} +(.+?) *#* *$/gm)) {
    const slug = slugify(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  anchorsOfPages.set(path, anchors);
  return anchors;
}

/** @returns what is wrong with a link; undefined for a good one and for addresses of other sites */
function faultOf(page, href) {
  if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(href)) return undefined;
  // The first page of the site links to its routes.
  if (page === "site/index.md") return undefined;
  const [path, anchor] = href.split("#").map(decodeURIComponent);
  const target =
    path === ""
      ? page
      : relative(root, join(root, dirname(page), path))
          .split(sep)
          .join("/");
  if (target.startsWith("..") || !existsSync(join(root, target))) return "which does not exist";
  if (anchor === undefined || extname(target) !== ".md" || anchorsOf(target).has(anchor)) return undefined;
  return "which has no such heading";
}

const links = /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)|\s(?:href|src|srcset)="([^"]+)"/gm;
const problems = [];
let checked = 0;
for (const page of markdownFiles())
  for (const [, inline, defined, html] of withoutCode(pageOf(page)).matchAll(links)) {
    const href = inline ?? defined ?? html;
    checked += 1;
    const fault = faultOf(page, href);
    if (fault !== undefined) problems.push(`${page} links to ${href}, ${fault}`);
  }
const listed = new Set([...guides, references].flatMap(({ items }) => items.map(({ link }) => link)));
for (const page of markdownFiles()) {
  const route = /^docs(\/.+)\.md$/.exec(page)?.[1];
  // The report of the public API has a section of its own on the site.
  if (route !== undefined && route !== "/bitnet-wasm.api" && !listed.has(route))
    problems.push(`${page} has no place in site/.vitepress/pages.mjs`);
}
for (const link of listed)
  if (!existsSync(join(root, "docs", `${link}.md`)))
    problems.push(`site/.vitepress/pages.mjs lists ${link}, which does not exist`);

for (const problem of problems) console.error(`doc links: ${problem}`);
console.log(`doc links: ${checked} links, ${problems.length} problems`);
if (problems.length > 0) process.exit(1);
