// `node scripts/layers.mjs [root]`: checks the structure that docs/ARCHITECTURE.md describes.
// Refuses imports that go up, circles of files, Node.js outside the platform, kernels outside a few folders.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));

/** From the bottom up. A part may import parts of its own and lower lines. */
const layers = [
  ["errors", "platform", "options"],
  ["weight-formats", "files", "hub"],
  ["architectures", "wasm", "text"],
  ["packing", "checkpoints", "grammar"],
  ["model"],
  ["graph"],
  ["engine"],
  ["generation"],
  ["language-model", "tools"],
  ["server", "worker-model"],
  ["batch", "ai-sdk", "mcp"],
  ["index", "browser", "cli"],
];
/** Parts whose layers allow an import, and that must not know each other. */
const strangers = [
  ["model", "text"],
  ["graph", "text"],
  ["engine", "text"],
  ["wasm", "text"],
  ["architectures", "text"],
  ["packing", "text"],
];
/** Only these files may use modules and globals of Node.js: a browser has none of them. */
const hostFiles = /^src\/(platform\/|cli\/|server\/listen\.ts$)/;
const hostGlobals = new Set(["Buffer", "process", "global", "require", "__dirname", "__filename", "NodeJS"]);
/** Only these files may call kernels: each call is a crossing into wasm. */
const kernelFiles = /^src\/(wasm|packing|graph)\/|^src\/engine\/(file-rows|screening)\.ts$/;
/** Folders whose files must not form circles. */
const folders = ["src", "test", "bench", "scripts", "training"];

/** Folders of the server that every protocol may import. */
const sharedByProtocols = new Set(["requests", "models"]);

const packageFile = join(root, "package.json");
const seams = existsSync(packageFile) ? (JSON.parse(readFileSync(packageFile, "utf8")).imports ?? {}) : {};

const rank = new Map(layers.flatMap((names, height) => names.map((name) => [name, height])));
const kernels = kernelNames();
const problems = [];

/** The imports of every file, as paths from the root. */
const graph = new Map();
for (const name of folders.flatMap(sourceFiles)) {
  const text = readFileSync(join(root, name), "utf8");
  if (name.endsWith(".py")) {
    graph.set(name, pythonImports(name, text));
    continue;
  }
  const tree = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const targets = importTargets(tree);
  graph.set(
    name,
    targets.flatMap((target) => (target.startsWith(".") ? resolveImport(name, target) : seamFiles(target))),
  );
  if (!name.startsWith("src/")) continue;
  checkLayers(name);
  if (!hostFiles.test(name)) checkHost(name, tree, targets);
  checkKernels(name, tree);
}
for (const circle of findCircles(graph)) {
  problems.push(`${circle[0]}: a circle of files: ${[...circle, circle[0]].join(" → ")}`);
}
if (kernels.size === 0) problems.push("src/wasm: no names of kernels found");

for (const problem of problems.sort()) console.error(problem);
console.log(`layers: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

function sourceFiles(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs|py)$/.test(entry.name))
    .map((entry) =>
      relative(root, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/"),
    )
    .filter((name) => !/\/(generated|node_modules|\.venv|results|out)\//.test(name));
}

/** Snake-case members of src/wasm/kernels.ts, and of the table that the build generates from the kernels. */
function kernelNames() {
  const names = ["src/wasm/kernels.ts", "src/wasm/generated/kernels.d.ts", "src/wasm/generated/kernels.ts"];
  const found = new Set();
  for (const path of names.map((name) => join(root, name)).filter((path) => existsSync(path))) {
    for (const node of nodesOf(
      ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest),
    )) {
      const declares =
        ts.isMethodSignature(node) || ts.isPropertySignature(node) || ts.isFunctionDeclaration(node);
      if (declares && /^[a-z0-9]+(_[a-z0-9]+)+$/.test(node.name?.text ?? "")) found.add(node.name.text);
    }
  }
  return found;
}

function* nodesOf(node) {
  yield node;
  const children = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* nodesOf(child);
}

/** Modules that a file names in imports of any kind: types, values, `export … from`, `import()`. */
function importTargets(tree) {
  const targets = [];
  for (const node of nodesOf(tree)) {
    const target =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node)
          ? node.argument.literal
          : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
            ? node.arguments[0]
            : undefined;
    if (target !== undefined && ts.isStringLiteralLike(target)) targets.push(target.text);
  }
  return targets;
}

function resolveImport(name, target) {
  const path = relative(root, resolve(root, dirname(name), target))
    .split(sep)
    .join("/");
  const source = path.replace(/\.js$/, ".ts");
  return existsSync(join(root, source)) ? source : path;
}

/** The source files of an import such as "#platform": one for each host, by "imports" of package.json. */
function seamFiles(target) {
  const files = Object.values(seams[target] ?? {});
  return files.map((file) => file.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts"));
}

function pythonImports(name, text) {
  return [...text.matchAll(/^ *(?:from|import) (\w+)/gm)]
    .map(([, target]) => `${dirname(name)}/${target}.py`)
    .filter((path) => existsSync(join(root, path)));
}

function checkLayers(name) {
  const part = partOf(name);
  if (!rank.has(part)) problems.push(`${name}: "${part}" has no line in scripts/layers.mjs`);
  for (const target of graph.get(name)) {
    const other = partOf(target);
    if (rank.get(other) > rank.get(part)) problems.push(`${name}: imports ${target}, which lies above it`);
    if (other !== part && strangers.some((pair) => pair.includes(part) && pair.includes(other))) {
      problems.push(`${name}: imports ${target}: "${part}" and "${other}" must not know each other`);
    }
    const [protocol, otherProtocol] = [protocolOf(name), protocolOf(target)];
    if (
      protocol !== undefined &&
      otherProtocol !== undefined &&
      !sharedByProtocols.has(otherProtocol) &&
      protocol !== otherProtocol
    ) {
      problems.push(`${name}: imports ${target}: protocols of the server must not know each other`);
    }
  }
}

function partOf(name) {
  return name.split("/")[1].replace(/\.ts$/, "");
}

/** The server's folders are its protocols, and the folders that they share. */
function protocolOf(name) {
  return /^src\/server\/([^/]+)\//.exec(name)?.[1];
}

function checkHost(name, tree, targets) {
  for (const target of targets.filter(isBuiltin))
    problems.push(`${name}: imports "${target}"; only the platform may`);
  const own = new Set(
    [...nodesOf(tree)]
      .filter((node) => node.name !== undefined && isDeclaration(node))
      .map((node) => node.name.text),
  );
  for (const node of nodesOf(tree)) {
    if (!ts.isIdentifier(node) || !hostGlobals.has(node.text) || own.has(node.text)) continue;
    if (ts.isPropertyAccessExpression(node.parent) && node.parent.name === node) continue;
    problems.push(`${name}:${lineOf(tree, node)}: uses "${node.text}"; only the platform may`);
  }
}

function isDeclaration(node) {
  return (
    ts.isImportSpecifier(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isPropertySignature(node)
  );
}

function checkKernels(name, tree) {
  const mayCall = kernelFiles.test(name);
  for (const node of nodesOf(tree)) {
    const at = `${name}:${lineOf(tree, node)}`;
    if (isComposedName(node)) {
      problems.push(
        `${at}: composes the name of a kernel ("${node.text}…"); take it from a table, so that it is found`,
      );
    }
    if (mayCall) continue;
    if (ts.isIdentifier(node) && kernels.has(node.text)) problems.push(`${at}: uses a kernel (${node.text})`);
    if (!ts.isElementAccessExpression(node)) continue;
    const index = node.argumentExpression;
    if (
      ts.isStringLiteralLike(index) ? kernels.has(index.text) : /kernels/i.test(node.expression.getText(tree))
    ) {
      problems.push(`${at}: uses a kernel by a computed name (${node.getText(tree)})`);
    }
  }
}

/** Whether a template, or a string that ends with an underscore, begins as names of kernels do. */
function isComposedName(node) {
  const begins =
    node.kind === ts.SyntaxKind.TemplateHead || (ts.isStringLiteralLike(node) && node.text.endsWith("_"));
  return begins && node.text.includes("_") && [...kernels].some((kernel) => kernel.startsWith(node.text));
}

function lineOf(tree, node) {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** One circle of each set of files that reach each other, from its first name. */
function findCircles(imports) {
  const circles = [];
  const seen = new Set();
  for (const start of [...imports.keys()].sort()) {
    if (seen.has(start)) continue;
    const circle = shortestWay(imports, start);
    if (circle === undefined) continue;
    circles.push(circle);
    for (const name of circle) seen.add(name);
  }
  return circles;
}

/** The shortest way of imports from a file back to itself. */
function shortestWay(imports, start) {
  const cameFrom = new Map([[start, undefined]]);
  for (const name of cameFrom.keys()) {
    for (const target of imports.get(name) ?? []) {
      if (target === start) {
        const way = [];
        for (let at = name; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
        return way;
      }
      if (!cameFrom.has(target)) cameFrom.set(target, name);
    }
  }
  return undefined;
}
