import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTextWriter } from "#dist/generation/text-writer.js";
import { type InnerGenerateOptions, resolveGenerateOptions } from "#dist/generation/resolve-options.js";
import { createStopMatcher } from "#dist/generation/stop-rules.js";
import { type GeneratedPiece, type LanguageModel, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { createToolCallParser } from "#dist/server/requests/tool-call-parser.js";
import { marksOf, toolSyntaxes } from "#dist/text/tool-syntax.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { runCli } from "../support/run-cli.js";
import { byteVocabulary } from "../support/small-vocabularies.js";
import { openServer, type OpenServer } from "../server/open-server.js";

const user = 4090;
/** Makes every token of a text a control token. */
const always = { maxTokens: 6, temperature: 0, logitBias: { [user]: 100 } } as const;
const greedy = { maxTokens: 10, temperature: 0 } as const;
const templated = "<|begin_of_text|><|user|>The fox was<|assistant|>";
const withoutBos = templated.replace("<|begin_of_text|>", "");

let model: LanguageModel;
let server: OpenServer;
/** The template's own ids and text for the same message. */
let expectedText: string;
const expectedTokens = 6;

async function collect(
  pieces: AsyncIterable<GeneratedPiece>,
): Promise<{ text: string; last: GeneratedPiece | undefined }> {
  let text = "";
  let last: GeneratedPiece | undefined;
  for await (const piece of pieces) {
    text += piece.text;
    last = piece;
  }
  return { text, last };
}

beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  server = await openServer(model);
  using chat = model.chat();
  const { text, last } = await collect(chat.send("The fox was", greedy));
  expect(last?.usage?.promptTokens).toBe(expectedTokens);
  expectedText = text;
});
afterAll(async () => {
  await server.close();
  await model.dispose();
});

describe.each([
  ["with BOS spelled", templated],
  ["without BOS", withoutBos],
])("a templated prompt, %s, has the template's own tokens and text", (_, prompt) => {
  it("in generate and complete, with parseSpecial", async () => {
    const { text, last } = await collect(model.generate(prompt, { ...greedy, parseSpecial: true }));
    expect([text, last?.usage?.promptTokens]).toEqual([expectedText, expectedTokens]);
    expect(await model.complete(prompt, { ...greedy, parseSpecial: true })).toBe(expectedText);
  });

  it("in a scheduler, with parseSpecial", async () => {
    await using scheduler = model.createScheduler({ parallel: 1 });
    const { text, last } = await collect(scheduler.generate(prompt, { ...greedy, parseSpecial: true }));
    expect([text, last?.usage?.promptTokens]).toEqual([expectedText, expectedTokens]);
  });

  it("at /v1/completions, with parse_special", async () => {
    for (const given of [prompt, [prompt]]) {
      const response = await server.post("/v1/completions", {
        prompt: given,
        parse_special: true,
        max_tokens: 10,
        temperature: 0,
      });
      expect(await response.json()).toMatchObject({
        choices: [{ text: expectedText }],
        usage: { prompt_tokens: expectedTokens },
      });
    }
  });

  it("at /api/generate, with raw", async () => {
    const response = await server.post("/api/generate", {
      prompt,
      raw: true,
      stream: false,
      options: { num_predict: 10, temperature: 0 },
    });
    expect(await response.json()).toMatchObject({
      response: expectedText,
      prompt_eval_count: expectedTokens,
    });
  });

  it("in bitnet run, with --special", async () => {
    const args = ["run", "--special", "--json", "-p", prompt, "-n", "10", "--temp", "0"];
    const { stdout } = await runCli(args);
    expect(JSON.parse(stdout)).toMatchObject({ text: expectedText, promptTokens: expectedTokens });
  });
});

describe("control tokens spelled in a prompt", () => {
  it("stay text by default", async () => {
    const { last } = await collect(model.generate(templated, greedy));
    expect(last?.usage?.promptTokens).toBe(model.tokenize(templated).length);
    expect(last?.usage?.promptTokens).toBeGreaterThan(3 * expectedTokens);
    const response = await server.post("/v1/completions", { prompt: templated, max_tokens: 1 });
    expect(await response.json()).toMatchObject({ usage: { prompt_tokens: last?.usage?.promptTokens } });
  });

  it("stay text in a chat, which refuses the options", async () => {
    using chat = model.chat();
    for (const option of ["parseSpecial", "showSpecial"] as const) {
      await expect(chat.send("Hi", { [option]: true }).next()).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        details: { option },
      });
    }
    expect(chat.messages).toEqual([]);
  });
});

describe("a stop string that spells a control token", () => {
  it("stops at the token", async () => {
    const { text, last } = await collect(model.generate("Once", { ...always, stop: "<|user|>" }));
    expect([text, last?.finishReason, last?.usage?.generatedTokens]).toEqual(["", "stop", 1]);
    const twice = await collect(model.generate("Once", { ...always, stop: ["x", "<|user|><|user|>"] }));
    expect([twice.last?.finishReason, twice.last?.usage?.generatedTokens]).toEqual(["stop", 2]);
  });

  it("stops at the token over HTTP", async () => {
    const body = { prompt: "Once", max_tokens: 6, logit_bias: { [user]: 100 }, stop: ["<|user|>"] };
    const response = await server.post("/v1/completions", body);
    expect(await response.json()).toMatchObject({
      choices: [{ text: "", finish_reason: "stop" }],
      usage: { completion_tokens: 1 },
    });
  });

  it("is not matched by a part of a token that the text does not show", async () => {
    const { text, last } = await collect(model.generate("Once", { ...always, stop: ["user", "|"] }));
    expect([text, last?.finishReason]).toEqual(["", "length"]);
  });

  it.each<[string, string[], (string | number)[], string, boolean]>([
    ["begins with the token", ["<|user|>\nA"], ["x", 7, "\n", "A", "y"], "x", true],
    ["ends with the token", ["b<|user|>"], ["a", "b", 7], "a", true],
    ["begins with the token, and the text goes on otherwise", ["<|user|>A"], ["x", 7, "B"], "xB", false],
    ["is spelled by ordinary tokens", ["<|user|>"], ["x<", "|user", "|>y"], "x", true],
    ["is another token's", ["<|user|>"], ["x", 8, "y"], "xy", false],
  ])("and %s", (_, stops, pieces, text, stopped) => {
    const cut = (stop: string): (string | number)[] =>
      stop.split(/(<\|user\|>)/).flatMap((part): (string | number)[] => {
        if (part === "<|user|>") return [7];
        return part === "" ? [] : [part];
      });
    const matcher = createStopMatcher(stops, cut);
    const results = pieces.map((piece) =>
      typeof piece === "number" ? matcher.pushControl(piece) : matcher.push(piece),
    );
    expect(results.map((result) => result.text).join("") + matcher.flush()).toBe(text);
    expect(results.at(-1)?.stopped).toBe(stopped);
  });
});

describe("showSpecial", () => {
  it("spells control tokens in the text, except the one that ends it", async () => {
    const shown = { ...always, showSpecial: true };
    expect(await model.complete("Once", shown)).toBe("<|user|>".repeat(6));
    expect(await model.complete("Once", always)).toBe("");
    const { eosId = 0 } = internalsOf(model).tokenizer;
    expect(await model.complete("Once", { ...shown, logitBias: { [eosId]: 100 } })).toBe("");
  });

  it("makes them text for stop strings", async () => {
    const shown = { ...always, showSpecial: true };
    expect(await model.complete("Once", { ...shown, stop: "user" })).toBe("<|");
    expect(await model.complete("Once", { ...shown, stop: "<|user|>" })).toBe("");
  });

  it("is --show-special of bitnet run", async () => {
    const flags = ["--show-special", "--no-echo", "--temp", "0", "-n", "2", "--logit-bias", `${user}=100`];
    expect((await runCli(["run", "-p", "Once", ...flags])).stdout).toBe("<|user|><|user|>\n");
  });
});

describe("the parser of tool calls", () => {
  /** The text of these tokens, as a writer gives it. */
  function write(tokenizer: Tokenizer, ids: readonly number[], options: InnerGenerateOptions): string {
    const resolved = resolveGenerateOptions({ temperature: 0, ...options });
    const writer = createTextWriter(tokenizer, [0], resolved);
    const pieces = ids.map((id) => {
      const values = new Float32Array(tokenizer.vocabSize);
      values[id] = 1;
      return writer.write({ values }, { isFull: false }).pieces.map(({ text }) => text);
    });
    return pieces.flat().join("");
  }

  it.each([["control"], ["userDefined"]] as const)("sees tags of the type %s", (type) => {
    const hermes = toolSyntaxes.find(({ name }) => name === "hermes");
    if (hermes === undefined) throw new Error("no such syntax");
    const tags = ["<tool_call>", "</tool_call>"];
    const ends = ["<|bos|>", "<|eos|>", "<|other|>"];
    const tokenizer = createTokenizer(
      type === "control"
        ? byteVocabulary([], { controls: [...ends, ...tags] })
        : byteVocabulary([], { controls: ends, userDefined: tags }),
    );
    const call = '<tool_call>{"name":"weather","arguments":{"city":"Ulm"}}</tool_call>';
    const ids = tokenizer.encode(`<|other|>Well. ${call}`, { addSpecial: false, parseSpecial: true });
    expect(ids.filter((id) => tokenizer.isControl(id))).toHaveLength(type === "control" ? 3 : 1);
    const text = write(tokenizer, ids, { shownTokens: marksOf(hermes) });
    expect(text).toBe(`Well. ${call}`);
    const parser = createToolCallParser(hermes, { names: ["weather"] });
    expect([...parser.push(text), ...parser.end()]).toEqual([
      { kind: "text", text: "Well." },
      { kind: "callBegin", name: "weather" },
      { kind: "arguments", text: '{"city":"Ulm"}' },
      { kind: "callEnd" },
    ]);
    // A stop string still ends the text at a tag that is shown.
    const stopped = write(tokenizer, ids, { shownTokens: marksOf(hermes), stop: "<tool_call>" });
    expect(stopped.startsWith("Well. ")).toBe(true);
    expect(stopped).not.toContain("<tool_call>");
  });
});
