// `npm run test:clients [-- name…]`: asks the server with the clients that people use, and prints a table.
// Installs them, in pinned versions, into .cache/clients: they are large, so `npm test` does not need them.
// A name runs only the rows that contain it. Some clients need Node.js 22, so they run on Node.js 24.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import { columns, rows } from "../test/clients/rows.mjs";
import { ensureReady } from "./ensure-ready.mjs";
import { installRuntime, runtimes } from "./runtime-binaries.mjs";

const root = ensureReady();
const source = join(root, "test", "clients");
const folder = join(root, ".cache", "clients");
const results = join(folder, "results.jsonl");

const node = clientRuntime();
installClients();
rmSync(results, { force: true });
const names = process.argv.slice(2);
const wanted = rows.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)));
const settings = { folder, node, rows: wanted, columns, results };
const config = join("test", "clients", "vitest.config.ts");
const { status } = spawnSync(
  process.execPath,
  [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--config", config],
  { cwd: root, stdio: "inherit", env: { ...process.env, BITNET_CLIENTS: JSON.stringify(settings) } },
);
printTable();
process.exit(status ?? 1);

function clientRuntime() {
  const [major] = process.versions.node.split(".").map(Number);
  if (major >= 24) return process.execPath;
  const { binary, missing } = installRuntime(
    root,
    runtimes.find(({ id }) => id === "node24"),
  );
  if (missing === undefined) return binary;
  console.error(`The clients need Node.js 24: ${missing}`);
  process.exit(1);
}

/** Without install scripts: they would download binaries. */
function installClients() {
  const lock = (at) => (existsSync(at) ? readFileSync(at, "utf8") : "");
  const isInstalled = lock(join(source, "package-lock.json")) === lock(join(folder, "installed.json"));
  mkdirSync(folder, { recursive: true });
  // The clients' files must lie beside their packages to find them.
  cpSync(source, folder, { recursive: true });
  if (isInstalled) return;
  console.error("Installing the clients into .cache/clients");
  const { status: failed } = spawnSync(
    "npm",
    ["ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error"],
    { cwd: folder, stdio: ["ignore", "inherit", "inherit"], shell: process.platform === "win32" },
  );
  if (failed !== 0) process.exit(failed ?? 1);
  cpSync(join(folder, "package-lock.json"), join(folder, "installed.json"));
}

function coloured(cell) {
  const colour = { ok: "green", FAILED: "red" }[cell.trim()];
  return colour === undefined || !process.stdout.isTTY ? cell : styleText(colour, cell);
}

function printTable() {
  const cells = !existsSync(results)
    ? []
    : readFileSync(results, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
  const versions = JSON.parse(readFileSync(join(source, "package.json"), "utf8")).dependencies;
  const shown = { ok: "ok", lacks: "–", failed: "FAILED" };
  const state = (client, column) =>
    shown[cells.find((cell) => cell.client === client && cell.column === column)?.state] ?? "not run";
  const table = [
    ["client", "versions", ...columns],
    ...wanted.map(({ name, packages }) => [
      name,
      packages.map((each) => versions[each]).join(", "),
      ...columns.map((column) => state(name, column)),
    ]),
  ];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  console.log();
  for (const row of table) console.log(row.map((cell, at) => coloured(cell.padEnd(widths[at]))).join("  "));
  for (const { client, column, state: how, error } of cells)
    if (how === "failed") console.log(`\n${client}, ${column}: ${error}`);
}
