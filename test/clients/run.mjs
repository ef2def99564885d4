// `node run.mjs <task as JSON> <file>`: asks one client everything that it can do, and writes a line of JSON
// per cell. Runs in a process of its own, in the folder where the clients are installed.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { columns } from "./rows.mjs";

const cellTimeoutMs = 60_000;
const [task, results] = [JSON.parse(process.argv[2]), process.argv[3]];
const { plainAnswer, resultAnswer, weather: answer } = task.answers;

const checks = {
  chat: (text) => assert.equal(text.trim(), plainAnswer),
  stream(parts) {
    assert(parts.length > 1, "the answer came in one piece");
    if (typeof parts[0] === "string") assert.equal(parts.join(""), plainAnswer);
    else assert.deepEqual(parts.at(-1), answer);
  },
  tools(text, calls) {
    assert.deepEqual(calls, [answer]);
    if (text !== undefined) assert.equal(text, resultAnswer);
  },
  json: (value) => assert.deepEqual(value, answer),
  embeddings(vectors) {
    if (vectors === undefined) return;
    assert.equal(vectors.length, 2);
    for (const vector of vectors) {
      assert.equal(vector.length, task.dimensions);
      const length = Math.hypot(...vector);
      assert(Math.abs(length - 1) < 1e-3, `a vector has the length ${length}`);
    }
  },
};

async function ask(client, column) {
  const calls = [];
  const weather = (given) => {
    calls.push({ ...given });
    return "rain";
  };
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer in ${cellTimeoutMs} ms`)), cellTimeoutMs);
  });
  checks[column](await Promise.race([client[column](task, weather), late]), calls);
}

const client = await import(`./${task.file}`);
for (const column of columns) {
  const cell = { column, state: "lacks" };
  if (client[column] !== undefined && !(task.lacks ?? []).includes(column)) {
    try {
      await ask(client, column);
      cell.state = "ok";
    } catch (error) {
      Object.assign(cell, { state: "failed", error: String(error?.stack ?? error) });
    }
  }
  appendFileSync(results, `${JSON.stringify(cell)}\n`);
}
process.exit(0);
