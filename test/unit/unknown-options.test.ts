import { afterAll, beforeAll, expect, it } from "vitest";
import {
  convert,
  createServer,
  evaluateTask,
  fetchModel,
  inspectModel,
  type LanguageModel,
  loadModel,
  perplexity,
  readTask,
} from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(starterPath, { threads: 1 });
});
afterAll(() => model.dispose());

type Options = Readonly<Record<string, unknown>>;

/** Every function with options, with a misspelt option and its correct form. */
const calls: readonly (readonly [string, string, string, (options: Options) => unknown])[] = [
  ["loadModel", "context_length", "contextLength", (options) => loadModel(starterPath, options)],
  ["chat", "sytem", "system", (options) => model.chat(options)],
  ["tokenize", "addspecial", "addSpecial", (options) => model.tokenize("a", options)],
  ["createSession", "contextLenght", "contextLength", (options) => model.createSession(options).dispose()],
  ["createScheduler", "paralel", "parallel", (options) => model.createScheduler(options).dispose()],
  ["embed", "poolling", "pooling", (options) => model.embed(["a"], options)],
  [
    "perplexity",
    "strides",
    "stride",
    (options) => perplexity(model, text, { contextLength: 16, ...options }),
  ],
  ["evaluateTask", "shot", "shots", (options) => evaluateTask(model, story, options)],
  ["readTask", "label", "labels", (options) => readTask(arc, options)],
  ["inspectModel", "thread", "threads", (options) => inspectModel(starterPath, options)],
  ["createServer", "maxBodybytes", "maxBodyBytes", (options) => createServer(model, options).dispose()],
];

const text = "the king ".repeat(20);
const story = {
  name: "story",
  metrics: ["acc"],
  questions: [
    {
      kind: "choice",
      choices: [{ context: "The", continuation: " king", text: "king" }],
      answer: 0,
      solved: "The king",
    },
  ],
} as const;
const arc = JSON.stringify({
  question: "Who?",
  choices: { text: ["a", "b"], label: ["A", "B"] },
  answerKey: "A",
});

/** In an async function, a call that throws and one that rejects look the same. */
const outcome = async (call: () => unknown): Promise<unknown> => call();

it.each(calls)("%s refuses %s and suggests %s", async (what, misspelt, likely, call) => {
  await expect(outcome(() => call({ [misspelt]: 1 }))).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: `Unknown option ${misspelt} of ${what}: did you mean ${likely}?`,
    details: { option: misspelt, value: 1 },
  });
});

it.each(calls)("%s takes %s: undefined, and undefined for known names", async (_, misspelt, likely, call) => {
  await outcome(() => call({ [misspelt]: undefined, [likely]: undefined }));
});

it("evaluate, convert and fetchModel refuse unknown options, too", async () => {
  using session = model.createSession();
  const typo = { logit: "all" } as object;
  await expect(session.evaluate([1], typo)).rejects.toThrow("did you mean logits?");
  expect(session.position).toBe(0);
  const unwritten = { output: "never.gguf", headtype: "f16" };
  await expect(convert(starterPath, unwritten)).rejects.toThrow("did you mean headType?");
  const fetching = { refesh: true } as object;
  await expect(fetchModel("hf:owner/repo", fetching)).rejects.toThrow("did you mean refresh?");
});
