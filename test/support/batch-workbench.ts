import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";

/** A line of a batch's output. */
export interface ResultLine {
  readonly id: string;
  readonly custom_id: string | null;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string;
    readonly body: Readonly<Record<string, unknown>>;
  } | null;
  readonly error: { readonly code: string; readonly message: string; readonly line: number } | null;
}

/** A folder for the input and the outputs of batches. */
export interface BatchFolder extends AsyncDisposable {
  readonly path: (name: string) => string;
  /** Writes lines, each an object or a text as it is. @returns the path. */
  readonly write: (name: string, lines: readonly unknown[]) => Promise<string>;
  readonly read: (name: string) => readonly ResultLine[];
}

export async function makeBatchFolder(): Promise<BatchFolder> {
  const folder = await mkdtemp(join(tmpdir(), "bitnet-batch-"));
  const path = (name: string): string => join(folder, name);
  return {
    path,
    async write(name, lines): Promise<string> {
      const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
      await writeFile(path(name), texts.map((text) => `${text}\n`).join(""));
      return path(name);
    },
    read: (name) => readResults(path(name)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function readResults(path: string): readonly ResultLine[] {
  const text = readFileSync(path, "utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as ResultLine);
}

/** A request of a batch. */
export function request(customId: string, url: string, body: object): object {
  return { custom_id: customId, method: "POST", url, body };
}

const places = ["a forest", "a castle", "a mill by the river", "the sea", "a small town"];

/** Short completions. Every second one samples without a seed. */
export function completions(count: number, maxTokens: number): object[] {
  return Array.from({ length: count }, (_, index) =>
    request(`story-${index}`, "/v1/completions", {
      prompt: `Once upon a time there was ${places[index % places.length] ?? ""}, and in it lived ${index}`,
      max_tokens: maxTokens,
      ...(index % 2 === 0 && { temperature: 0 }),
    }),
  );
}

/** Fields of an answer that differ between runs: random ids, and times. */
const runFields = ["id", "created", "created_at", "total_duration", "load_duration"];
const timeFields = ["prompt_eval_duration", "eval_duration"];

/** Results by id, without the fields that differ between runs. Fails if an id occurs twice. */
export function comparable(results: readonly ResultLine[]): ReadonlyMap<string, ResultLine> {
  const byId = new Map(
    results.map((result) => {
      const { response } = result;
      if (response === null) return [result.id, result];
      const kept = Object.entries(response.body).filter(
        ([name]) => !runFields.includes(name) && !timeFields.includes(name),
      );
      return [result.id, { ...result, response: { ...response, body: Object.fromEntries(kept) } }];
    }),
  );
  expect(byId.size).toBe(results.length);
  return byId;
}

/** Number of complete lines of a file. 0 without the file. */
export function countLines(path: string): number {
  try {
    return readFileSync(path, "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}
