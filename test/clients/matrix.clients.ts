// Run by `npm run test:clients`, which installs the clients: scripts/test-clients.mjs.
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startCli } from "../support/run-cli.js";
import { makeWeatherModel, plainAnswer, resultAnswer, weather } from "../support/weather-model.js";

interface Row {
  readonly name: string;
  readonly file: string;
  readonly packages: readonly string[];
}

interface Cell {
  readonly column: string;
  readonly state: "ok" | "lacks" | "failed";
  readonly error?: string;
}

/** From scripts/test-clients.mjs. */
interface Settings {
  /** The folder in which the clients are installed. */
  readonly folder: string;
  /** The Node.js that runs them: some need a newer one than the library. */
  readonly node: string;
  readonly rows: readonly Row[];
  readonly columns: readonly string[];
  /** Receives a line of JSON per cell. */
  readonly results: string;
}

const given = process.env.BITNET_CLIENTS;
if (given === undefined) throw new Error("These tests need installed clients: run `npm run test:clients`");
const { folder, node, rows, columns, results } = JSON.parse(given) as Settings;

/** All columns of a client. */
const clientTimeoutMs = 240_000;
const scratch = mkdtempSync(join(tmpdir(), "bitnet-clients-"));
let server: ReturnType<typeof startCli>;
let task: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  const path = join(scratch, "weather.gguf");
  writeFileSync(path, (await makeWeatherModel()).bytes);
  server = startCli(["serve", path, "--port", "0", "-t", "1", "--no-log"]);
  server.stderr.pipe(process.stderr);
  const url = await new Promise<string>((resolve, reject) => {
    server.once("exit", () => reject(new Error("the server ended")));
    server.stdout.on("data", (text: Buffer) => {
      const [, address] = /Listening on (\S+)/.exec(text.toString()) ?? [];
      if (address !== undefined) resolve(address);
    });
  });
  const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  const body = JSON.stringify({ model: models.data[0]?.id, input: "Rain" });
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${url}/v1/embeddings`, { method: "POST", headers, body });
  const { data } = (await response.json()) as { data: { embedding: number[] }[] };
  const dist = new URL("../../dist/", import.meta.url).href;
  const answers = { plainAnswer, resultAnswer, weather };
  task = {
    answers,
    dist,
    path,
    url,
    key: "none",
    model: models.data[0]?.id,
    dimensions: data[0]?.embedding.length,
  };
});
afterAll(() => {
  server.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs a client in a process of its own. @returns its cells; a missing cell has failed. */
async function runClient(row: Row, at: number): Promise<readonly Cell[]> {
  const file = join(scratch, `${at}.jsonl`);
  writeFileSync(file, "");
  const args = [join(folder, "run.mjs"), JSON.stringify({ ...row, ...task }), file];
  const child = spawn(node, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    // Some clients leave files there.
    env: { ...process.env, TMPDIR: scratch },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text: Buffer) => (output += text.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), clientTimeoutMs);
  await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  const cells = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Cell);
  const missing = columns.slice(cells.length).map((column): Cell => ({
    column,
    state: "failed",
    error: output.trim().slice(-2000) || "the process ended without an answer",
  }));
  return [...cells, ...missing];
}

describe.each(rows.map((row, at) => ({ ...row, at })))("$name", (row) => {
  let cells: readonly Cell[] = [];
  beforeAll(async () => {
    cells = await runClient(row, row.at);
    for (const cell of cells) appendFileSync(results, `${JSON.stringify({ client: row.name, ...cell })}\n`);
  });

  it.each(columns)("%s", (column) => {
    const cell = cells.find((each) => each.column === column);
    expect(cell?.error).toBeUndefined();
  });
});

it.each([...new Set(rows.flatMap(({ packages }) => packages))])(
  "the guide names the version of %s",
  (name) => {
    const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const guide = readFileSync(new URL("../../docs/guide/clients.md", import.meta.url), "utf8");
    expect(guide).toContain(`${name} ${dependencies[name]}`);
  },
);
