import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { embed, embedMany, generateObject, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { bitnet } from "#dist/ai-sdk/index.js";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { endless, loadPatientModel } from "../server/patient-model.js";
import { finishCli } from "../support/run-cli.js";
import { makeThinkingModel } from "../support/thinking-model.js";
import { makeWeatherModel, plainAnswer, resultAnswer, weather } from "../support/weather-model.js";

const question = "What is the weather in Ulm?";
const schema = z.object({ city: z.enum(["Ulm", "Bonn"]), days: z.int().min(1).max(9) });
/** A call is to succeed at once. */
const once = { maxRetries: 0 } as const;

async function collect<T>(parts: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

describe("the AI SDK with a model of known answers", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel((await makeWeatherModel()).bytes, { threads: 1 });
  });
  afterAll(() => model.dispose());
  const calls: unknown[] = [];
  const tools = {
    weather: tool({
      description: "The weather of a city",
      inputSchema: schema,
      execute: (given) => {
        calls.push(given);
        return { sky: "rain" };
      },
    }),
  };

  it("generateText gets the text, the end and the numbers of tokens", async () => {
    const result = await generateText({ ...once, model: bitnet(model), prompt: question });
    expect(result.text).toBe(plainAnswer);
    expect(result.finishReason).toBe("stop");
    expect(result.usage).toMatchObject({ outputTokens: 5, outputTokenDetails: { reasoningTokens: 0 } });
    expect(result.usage.inputTokens).toBeGreaterThan(question.length);
    expect(result.warnings).toEqual([]);
  });

  it("generateText ends with length, also where the context is full", async () => {
    const ask = { ...once, model: bitnet(model), prompt: question };
    const { text, finishReason } = await generateText({ ...ask, maxOutputTokens: 2 });
    expect({ text, finishReason }).toEqual({ text: "Rain in", finishReason: "length" });
    expect((await generateText({ ...ask, maxOutputTokens: 1_000_000 })).finishReason).toBe("stop");
    await expect(generateText({ ...ask, prompt: "x".repeat(9000) })).rejects.toMatchObject({
      code: "CONTEXT_FULL",
    });
  });

  it("streamText gets it in pieces", async () => {
    const result = streamText({ ...once, model: bitnet(model), prompt: question });
    const parts = await collect(result.fullStream);
    const deltas = parts.flatMap((part) => (part.type === "text-delta" ? [part.text] : []));
    expect(deltas).toEqual(["Rain", " in", " Ulm", "."]);
    expect(parts.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1])).toEqual([
      ...["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"],
    ]);
  });

  it("a loop of tools runs, whole and streamed", async () => {
    const ask = { ...once, model: bitnet(model), prompt: question, tools, stopWhen: stepCountIs(3) };
    calls.length = 0;
    const { text, steps } = await generateText(ask);
    expect({ text, count: steps.length }).toEqual({ text: resultAnswer, count: 2 });
    expect(steps[0]?.finishReason).toBe("tool-calls");
    const streamed = streamText(ask);
    expect(await streamed.text).toBe(resultAnswer);
    const [first] = await streamed.steps;
    expect(first?.toolCalls).toMatchObject([{ toolName: "weather", input: weather }]);
    expect(calls).toEqual([weather, weather]);
  });

  it("the result of a tool is in the next prompt", async () => {
    const { steps } = await generateText({
      ...once,
      model: bitnet(model),
      prompt: question,
      tools,
      stopWhen: stepCountIs(3),
    });
    const [first = 0, second = 0] = steps.map(({ usage }) => usage.inputTokens);
    // One token per byte of the call and of its result.
    expect(second - first).toBeGreaterThan('{"sky":"rain"}'.length);
  });

  it("a demanded call keeps the tool's schema; no call is possible with toolChoice none", async () => {
    const ask = { ...once, model: bitnet(model), prompt: question, tools, maxOutputTokens: 200 };
    for (const toolChoice of ["required", { type: "tool", toolName: "weather" }] as const) {
      const { toolCalls } = await generateText({ ...ask, toolChoice });
      expect(toolCalls).toMatchObject([{ toolName: "weather", input: weather }]);
    }
    const { toolCalls, text } = await generateText({ ...ask, toolChoice: "none" });
    expect({ toolCalls, text }).toEqual({ toolCalls: [], text: plainAnswer });
  });

  it("objects keep their schema", async () => {
    const ask = { ...once, model: bitnet(model), prompt: "The weather?" };
    const { output } = await generateText({ ...ask, output: Output.object({ schema }) });
    expect(schema.parse(output)).toEqual(output);
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- Most programs still use it.
    const { object } = await generateObject({ ...ask, schema });
    expect(schema.parse(object)).toEqual(object);
    const { output: chosen } = await generateText({
      ...ask,
      output: Output.choice({ options: ["dry", "wet"] }),
    });
    expect(["dry", "wet"]).toContain(chosen);
  });

  it("tools and an object work together: a call first, the object after its result", async () => {
    calls.length = 0;
    const { output, steps } = await generateText({
      ...once,
      model: bitnet(model),
      prompt: `${question} Answer in JSON.`,
      tools,
      stopWhen: stepCountIs(3),
      output: Output.object({ schema }),
    });
    expect(steps).toHaveLength(2);
    expect(calls).toEqual([weather]);
    expect(output).toEqual(weather);
  });

  it("calls at the same time do not change each other", async () => {
    const ask = { ...once, model: bitnet(model), prompt: question };
    const results = await Promise.all(Array.from({ length: 6 }, () => generateText(ask)));
    expect(results.map(({ text }) => text)).toEqual(Array.from({ length: 6 }, () => plainAnswer));
  });

  it("settings without effect are warnings", async () => {
    const { warnings } = await bitnet(model).doGenerate({
      prompt: [{ role: "user", content: [{ type: "text", text: question }] }],
      includeRawChunks: true,
      tools: [
        { type: "provider", id: "other.search", name: "search", args: {} },
        {
          type: "function",
          name: "weather",
          inputSchema: {},
          strict: true,
          inputExamples: [{ input: weather }],
        },
      ],
    });
    expect(warnings.map((warning) => [warning.type, "feature" in warning && warning.feature])).toEqual([
      ["unsupported", "tools of a provider"],
      ["unsupported", "inputExamples of tools"],
      ["unsupported", "strict tools"],
      ["unsupported", "includeRawChunks"],
    ]);
  });

  it("content that is not text, and wrong options, are refused", async () => {
    const ask = { ...once, model: bitnet(model) };
    const image = {
      type: "image",
      image: new Uint8Array([137, 80, 78, 71]),
      mediaType: "image/png",
    } as const;
    await expect(
      generateText({ ...ask, messages: [{ role: "user", content: [image] }] }),
    ).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("text only") as string,
    });
    const wrong = { prompt: question, providerOptions: { bitnet: { minp: 0.1 } } };
    await expect(generateText({ ...ask, ...wrong })).rejects.toThrow(/minP/);
    await expect(generateText({ ...ask, prompt: question, temperature: -1 })).rejects.toThrow(/temperature/);
    for (const own of [{ parseSpecial: true }, { showSpecial: true }, { thinking: "yes" }]) {
      const options = { prompt: question, providerOptions: { bitnet: own } };
      await expect(generateText({ ...ask, ...options })).rejects.toThrow(Object.keys(own)[0]);
    }
    const twoSchemas = { providerOptions: { bitnet: { jsonSchema: {} } }, output: Output.object({ schema }) };
    await expect(generateText({ ...ask, prompt: question, ...twoSchemas })).rejects.toThrow(/jsonSchema/);
    expect(() => bitnet({} as LanguageModel)).toThrow(/loadModel/);
  });
});

describe("the AI SDK with the embedded model", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadPatientModel();
  });
  afterAll(() => model.dispose());
  const prompt = "Once upon a time";

  it("gets the text of model.chat, with the library's own options", async () => {
    let expected = "";
    using chat = model.chat({ system: "Be brief." });
    const options = { maxTokens: 12, temperature: 0.7, topK: 5, seed: 3, minP: 0.2, repeatPenalty: 1.2 };
    for await (const { text } of chat.send(prompt, options)) expected += text;
    const { text } = await generateText({
      ...once,
      model: bitnet(model),
      system: "Be brief.",
      prompt,
      maxOutputTokens: 12,
      temperature: 0.7,
      topK: 5,
      seed: 3,
      providerOptions: { bitnet: { minP: 0.2, repeatPenalty: 1.2 } },
    });
    expect(text).toBe(expected);
  });

  it("stops when the signal fires, whole and streamed", async () => {
    const providerOptions = { bitnet: { logitBias: endless(model) } };
    const ask = { ...once, model: bitnet(model), prompt, providerOptions };
    await expect(generateText({ ...ask, abortSignal: AbortSignal.timeout(100) })).rejects.toThrow(
      /abort|time/i,
    );
    const controller = new AbortController();
    const result = streamText({ ...ask, abortSignal: controller.signal });
    let pieces = 0;
    let ended = "";
    for await (const { type } of result.fullStream) {
      if (type === "text-delta") pieces += 1;
      if (pieces === 3) controller.abort();
      ended = type;
    }
    expect(ended).toBe("abort");
    // The slot is free again.
    expect((await generateText({ ...ask, maxOutputTokens: 3 })).usage.outputTokens).toBe(3);
  });

  it("stop sequences end the text, and are not in it", async () => {
    const ask = { ...once, model: bitnet(model), prompt, temperature: 0, maxOutputTokens: 40 };
    const { text } = await generateText(ask);
    const stop = text.slice(10, 14);
    const cut = await generateText({ ...ask, stopSequences: [stop] });
    expect(cut.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(cut.finishReason).toBe("stop");
  });

  it("tools are refused where the chat template has no place for them", async () => {
    const tools = { weather: tool({ inputSchema: schema, execute: () => plainAnswer }) };
    await expect(generateText({ ...once, model: bitnet(model), prompt, tools })).rejects.toThrow(/template/);
  });

  it("embed and embedMany get the library's vectors", async () => {
    const values = ["A fox.", "A king."];
    const { embeddings, usage } = await embedMany({ ...once, model: bitnet.embedding(model), values });
    expect(embeddings.map((vector) => Float32Array.from(vector))).toEqual(await model.embed(values));
    expect(usage.tokens).toBe(values.reduce((sum, text) => sum + model.tokenize(text).length, 0));
    const [query] = await model.embed(["fox"], { kind: "query", instruction: "Find" });
    const { embedding } = await embed({
      ...once,
      model: bitnet.embedding(model),
      value: "fox",
      providerOptions: { bitnet: { kind: "query", instruction: "Find" } },
    });
    expect(Float32Array.from(embedding)).toEqual(query);
    await expect(
      embed({ ...once, model: bitnet.embedding(model), value: "fox", abortSignal: AbortSignal.abort() }),
    ).rejects.toThrow(/abort/i);
  });
});

it("thoughts are reasoning, apart from the text", async () => {
  await using model = await loadModel((await makeThinkingModel()).bytes, { threads: 1 });
  const ask = { ...once, model: bitnet(model), prompt: "Hi" };
  const { text, reasoningText, usage } = await generateText(ask);
  expect({ text, reasoningText }).toEqual({ text: "So.", reasoningText: "why" });
  expect(usage.outputTokenDetails.reasoningTokens).toBeGreaterThan(0);
  const parts = await collect(streamText(ask).fullStream);
  const types = parts.map(({ type }) => type).filter((type) => /^(text|reasoning)-(start|end)$/.test(type));
  expect(types).toEqual(["reasoning-start", "reasoning-end", "text-start", "text-end"]);
  const silent = await generateText({ ...ask, providerOptions: { bitnet: { thinking: false } } });
  expect(silent.reasoningText).toBeUndefined();
});

it("a disposed model is refused", async () => {
  const model = await loadModel((await makeWeatherModel()).bytes, { threads: 1 });
  const language = bitnet(model);
  await generateText({ ...once, model: language, prompt: question });
  await model.dispose();
  await expect(generateText({ ...once, model: language, prompt: question })).rejects.toMatchObject({
    code: "DISPOSED",
  });
});

const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = readFileSync(`${root}/docs/guide/ai-sdk.md`, "utf8");
const programs = [...guide.matchAll(/^## (.+?)\n[^#]*?^```js\n(.*?)^```/gms)].map(
  ([, heading = "", code = ""]): readonly [string, string] => [heading, code],
);

describe("docs/guide/ai-sdk.md", () => {
  it("has its programs", () => {
    expect(programs.map(([heading]) => heading)).toEqual(["Text", "Objects and tools", "Embeddings"]);
  });

  it.each(programs)("%s: its program writes something with the embedded model", async (_, code) => {
    const embedded = code.replace(/loadModel\("[^"]+"\)/, "loadModel()");
    const child = spawn(process.execPath, ["--input-type=module", "--eval", embedded], { cwd: root });
    child.stdin.end();
    const { stdout, stderr, status } = await finishCli(child);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout.trim()).not.toBe("");
  });
});
