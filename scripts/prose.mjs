// Plain English in comments and Markdown (the rules are in CONTRIBUTING.md).
// `node scripts/prose.mjs [path…]` prints each fault as file:line and fails if a rule is over its limit.
// `--count` prints numbers by folder instead.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
const maxWords = 30;
const maxColumns = { comment: 110, markdown: 120 };

/** Per rule its limit of faults, and a search for one in a passage of text. */
const rules = {
  "begins with a relative pronoun": {
    limit: 0,
    find: (text) => /^(What|Whatever|Who|Whoever|Whom|Those|Which|Whichever)\b(?![^.]*\?)/.exec(text)?.[0],
  },
  "a relative clause as a noun": {
    limit: 0,
    find: (text) =>
      /\b(that which|those (that|which|who|whose)|(to|for|of|from|by|with) (who|whoever|whom)\b)/i.exec(
        text,
      )?.[0],
  },
  "what as a noun": {
    limit: 0,
    find: (text) =>
      /\b(of|from|with|than|for|by|after|before|besides?|and|or|but|all) what\b(?! (kind|size|to)\b)/i.exec(
        text,
      )?.[0],
  },
  "is none": { limit: 0, find: (text) => /(?<!there )\b(is|are|was|were|be) none\b/i.exec(text)?.[0] },
  told: { limit: 0, find: (text) => /\b(told(?! apart)|tells? (it )?of)\b/i.exec(text)?.[0] },
  "a long sentence": {
    limit: 0,
    find(text) {
      const counts = text.split(/[.!?]["”)]?(?:\s+|$)/).map(countWords);
      const longest = Math.max(...counts);
      return longest > maxWords ? `${longest} words` : undefined;
    },
  },
  "a long line": { limit: 0 },
};

/** The rows of a kernel's contract. */
const contractRow = /^(Shapes|Types|Requires|Range|Returns|Exact|Splits)\s{2,}/;
/** A line of a formula, of pseudo-code or of columns: `y = …`, an indented line, or a gap of three spaces. */
const tabularLine = /^[^\s=]+( [^\s=]+\])? (\+|\(\+\))?= |^ {2}|\S {3,}\S/;

const skipped = new Set([
  ".cache",
  ".git",
  ".venv",
  "api",
  "build",
  "coverage",
  "dist",
  "generated",
  "golden",
  "node_modules",
  "out",
  "results",
]);
const files = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const faults = (files.length > 0 ? files : [root]).flatMap(filesIn).flatMap(faultsOf);
const byRule = groupBy(faults, ({ rule }) => rule);
if (process.argv.includes("--count")) printCounts();
else
  for (const { name, line, rule, excerpt } of faults) console.error(`${name}:${line}: ${rule}: ${excerpt}`);
const failed = Object.entries(rules).filter(([rule, { limit }]) => (byRule.get(rule)?.length ?? 0) > limit);
for (const [rule, { limit }] of failed)
  console.log(`prose: ${rule}: ${byRule.get(rule).length}, of ${limit} allowed`);
console.log(`prose: ${failed.length} rules fail`);
process.exit(failed.length === 0 ? 0 : 1);

function filesIn(path) {
  if (statSync(path).isFile()) return /\.(ts|js|mjs|py|cpp|md)$/.test(path) ? [path] : [];
  return readdirSync(path)
    .filter((name) => !skipped.has(name))
    .flatMap((name) => filesIn(join(path, name)));
}

function faultsOf(path) {
  const source = readFileSync(path, "utf8");
  const name = relative(root, path).split(sep).join("/");
  const isMarkdown = path.endsWith(".md");
  const lines = isMarkdown ? markdownLines(source) : commentLines(path, source);
  const allowed = isMarkdown ? maxColumns.markdown : maxColumns.comment;
  const found = [];
  for (const { line, columns, text } of lines) {
    // A table's row and an address cannot be wrapped.
    if (columns <= allowed || /^\||\S{90}/.test(text.trim())) continue;
    found.push({ name, line, rule: "a long line", excerpt: `${columns} columns` });
  }
  for (const { line, text } of passages(lines, isMarkdown)) {
    for (const [rule, { find }] of Object.entries(rules)) {
      const what = find?.(text);
      if (what !== undefined) found.push({ name, line, rule, excerpt: `${what} … "${text.slice(0, 60)}"` });
    }
  }
  return found;
}

/** The lines of a file's comments: their text without marks, and the columns of the whole line. */
function commentLines(path, source) {
  const ranges = path.endsWith(".py")
    ? pythonComments(source)
    : path.endsWith(".cpp")
      ? slashComments(source)
      : scriptComments(path, source);
  const all = source.split("\n");
  const lines = [];
  let position = 0;
  const starts = all.map((line) => (position += line.length + 1) - line.length - 1);
  for (const { pos, end } of ranges) {
    const first = starts.findLastIndex((start) => start <= pos);
    const raw = source.slice(pos, end).split("\n");
    // A comment of its own does not go on in one behind code, nor in one after an empty line.
    const previous = lines.at(-1);
    const isBlock = !/^(\/\/|#)/.test(raw[0]);
    const isOwn = source.slice(starts[first], pos).trim() === "";
    if (previous !== undefined && (isBlock || !isOwn || previous.line !== first))
      lines.push({ ...previous, columns: 0, text: "" });
    raw.forEach((text, index) => {
      const line = first + index;
      const plain = text.replace(/^\s*(\/\/|#|\/\*+|\*\/|\*|"{3})? ?/, "").replace(/\s*(\*\/|"{3})\s*$/, "");
      lines.push({ line: line + 1, columns: isOwn ? all[line].length : 0, text: plain });
    });
  }
  return lines;
}

function scriptComments(path, source) {
  const tree = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const ranges = new Map();
  (function visit(node) {
    const children = node.getChildren(tree).filter((child) => !ts.isJSDoc(child));
    for (const child of children) visit(child);
    if (children.length > 0) return;
    const found = [
      ...(ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(source, node.getEnd()) ?? []),
    ];
    for (const range of found) ranges.set(range.pos, range);
  })(tree);
  return [...ranges.values()].sort((a, b) => a.pos - b.pos);
}

function pythonComments(source) {
  return [...source.matchAll(/(?<=^\s*)"{3}[\s\S]*?"{3}|(?<=^|\s)# .*/gm)].map(rangeOf);
}

function slashComments(source) {
  return [...source.matchAll(/\/\/ .*|\/\*[\s\S]*?\*\//g)].map(rangeOf);
}

function rangeOf({ index, 0: text }) {
  return { pos: index, end: index + text.length };
}

function markdownLines(source) {
  let isCode = false;
  return source.split("\n").map((text, index) => {
    const isFence = /^\s*(```|~~~)/.test(text);
    if (isFence) isCode = !isCode;
    const isText = !isFence && !isCode;
    return { line: index + 1, columns: isText ? text.length : 0, text: isText ? text : "" };
  });
}

/**
 * Paragraphs, list items, table cells, tags, rows of contracts and tabular lines, each as one text. Code
 * counts as one word. Markdown has no contracts and no tabular lines.
 */
function passages(lines, isMarkdown) {
  const found = [];
  let isCode = false;
  let isItem = false;
  let isList = false;
  let isRow = false;
  let open;
  for (const { line, text } of lines) {
    if (/^\s*(```|~~~)/.test(text)) isCode = !isCode;
    const isEnd = isCode || /^\s*(```|~~~|#|$)/.test(text);
    if (isEnd) {
      open = undefined;
      isItem = isList = isRow = false;
      continue;
    }
    if (text.trim().startsWith("|")) {
      open = undefined;
      for (const cell of text.split(/(?<!\\)\|/)) found.push({ line, text: plainText(cell) });
      continue;
    }
    const isContract = !isMarkdown && contractRow.test(text);
    if (!isMarkdown && !isContract && !isItem && tabularLine.test(text)) {
      found.push({ line, text });
      open = undefined;
      continue;
    }
    const item = isContract
      ? contractRow.exec(text)
      : /^\s*([-*•]|\d+\.|@\w+(\s+[A-Z]\w+Error)?|[A-Z]\w+:|:\w+( \w+)?:)\s+/.exec(text);
    if (open === undefined || item !== null) found.push((open = { line, text: "" }));
    if (item !== null) {
      isItem = true;
      isList = item[1].startsWith("@");
      isRow = isContract;
    }
    // The failures of `@throws` are a list, and so are the parts of a contract's row.
    const plain = item === null ? text : text.slice(item[0].length);
    open.text += ` ${isList ? plain.replaceAll(";", ".") : isRow ? plain.replaceAll(" ·", ".") : plain}`;
  }
  return found.map(({ line, text }) => ({ line, text: plainText(text) })).filter(({ text }) => text !== "");
}

function plainText(text) {
  return (
    text
      .replaceAll(/`[^`]*`/g, "code")
      // A list of names is read as one thing.
      .replaceAll(/code(?:, code){3,}/g, "codes")
      .replaceAll(/"[^"]*"/g, "quoted")
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replaceAll(/[*_]{2}/g, "")
      .replaceAll(/\b(e\.g|i\.e|cf|vs)\./g, "$1")
      .trim()
  );
}

function countWords(sentence) {
  return sentence.split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
}

function printCounts() {
  const byFolder = groupBy(faults, ({ name }) => dirname(name).split("/").slice(0, 2).join("/"));
  console.table(
    Object.fromEntries(
      [...byFolder].map(([folder, list]) => [
        folder,
        Object.fromEntries(
          Object.keys(rules).map((rule) => [rule, list.filter((fault) => fault.rule === rule).length]),
        ),
      ]),
    ),
  );
}

/** Map.groupBy, which Node.js 20 lacks. */
function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
