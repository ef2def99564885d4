import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "#dist/index.js";
import { openServer, type OpenServer, until } from "./open-server.js";
import { endless, loadPatientModel, patientContext } from "./patient-model.js";

const messages = [{ role: "user" as const, content: "Once upon a time" }];
let model: LanguageModel;
let server: OpenServer;
let openai: OpenAI;
let ollama: Ollama;
beforeAll(async () => {
  model = await loadPatientModel();
  server = await openServer(model, { parallel: 1, queueLimit: 2 });
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
  ollama = new Ollama({ host: server.url });
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

const chat = (): { model: string; messages: typeof messages; logit_bias: Record<string, number> } => ({
  model: "any",
  messages,
  logit_bias: endless(model),
});
// Greedy text repeats itself. No end was ever observed.
const options = { temperature: 0, num_predict: patientContext };

/** Reads a stream to its end, or until `leave` returns true. */
async function drain(stream: AsyncIterable<unknown>, leave = (): boolean => false): Promise<void> {
  const reader = stream[Symbol.asyncIterator]();
  for (let part = await reader.next(); part.done !== true; part = await reader.next())
    if (leave()) await reader.return?.();
}

function whenAborted(signal: AbortSignal, leave: () => void): void {
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave);
}

/** Each starts a long text. At the signal it leaves, in one of the ways of its client. */
const ways: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
  "openai, a chat completion": (signal) => openai.chat.completions.create(chat(), { signal }),
  "openai, a streamed chat completion": async (signal) => {
    await drain(await openai.chat.completions.create({ ...chat(), stream: true }, { signal }));
  },
  "openai, a stream whose loop is left": async (signal) => {
    const stream = await openai.chat.completions.create({ ...chat(), stream: true });
    await drain(stream, () => signal.aborted);
  },
  "openai, a completion of several texts": (signal) =>
    openai.completions.create({ ...chat(), prompt: "A", n: 2 }, { signal }),
  "ollama, a streamed chat": async (signal) => {
    const stream = await ollama.chat({ model: "any", messages, options, stream: true });
    whenAborted(signal, () => stream.abort());
    await drain(stream);
  },
  "ollama, a streamed text, by its client": async (signal) => {
    const stream = await ollama.generate({ model: "any", prompt: "A", raw: true, options, stream: true });
    whenAborted(signal, () => ollama.abort());
    await drain(stream);
  },
  "fetch, a whole answer of Ollama's": (signal) =>
    fetch(`${server.url}/api/chat`, {
      method: "POST",
      body: JSON.stringify({ messages, options, stream: false }),
      signal,
    }),
};

it.each(Object.keys(ways))("%s: leaving frees the slot immediately", async (name) => {
  const before = server.server.stats.generatedTokens;
  const controller = new AbortController();
  const left = ways[name]?.(controller.signal).then(
    () => undefined,
    () => undefined,
  );
  await until(() => server.server.stats.generatedTokens > before);
  expect(server.server.stats.active).toBe(1);
  controller.abort();
  await until(() => server.server.stats.active + server.server.stats.queued === 0);
  // A complete text would be at least twice as long.
  expect(server.server.stats.generatedTokens - before).toBeLessThan(patientContext / 2);
  await left;
});

it("a client that leaves the queue does not affect earlier clients", async () => {
  const first = new AbortController();
  const second = new AbortController();
  const running = openai.chat.completions.create(chat(), { signal: first.signal });
  running.catch(() => undefined);
  await until(() => server.server.stats.active === 1);
  const waiting = openai.chat.completions.create(chat(), { signal: second.signal });
  waiting.catch(() => undefined);
  await until(() => server.server.stats.queued === 1);
  second.abort();
  await until(() => server.server.stats.queued === 0);
  expect(server.server.stats.active).toBe(1);
  first.abort();
  await until(() => server.server.stats.active === 0);
  const { choices } = await openai.chat.completions.create({ ...chat(), max_completion_tokens: 4 });
  expect(choices[0]?.finish_reason).toBe("length");
});
