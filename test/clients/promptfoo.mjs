import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { functionTool, jsonQuestion, jsonSchema, question, texts } from "./weather.mjs";

/** Evaluates one prompt. @returns its output. */
function evaluate({ url, key, model }, prompt, config = {}, assert = []) {
  const folder = mkdtempSync(join(tmpdir(), "promptfoo-"));
  const [input, output] = [join(folder, "config.json"), join(folder, "results.json")];
  const access = { apiBaseUrl: `${url}/v1`, apiKey: key };
  writeFileSync(
    input,
    JSON.stringify({
      prompts: [prompt],
      providers: [{ id: `openai:chat:${model}`, config: { ...access, ...config } }],
      defaultTest: {
        options: { provider: { embedding: { id: `openai:embeddings:${model}`, config: access } } },
      },
      tests: [{ assert }],
    }),
  );
  const args = ["eval", "-c", input, "-o", output, "--no-cache", "--no-table", "--no-progress-bar"];
  const quiet = {
    PROMPTFOO_DISABLE_TELEMETRY: "1",
    PROMPTFOO_DISABLE_UPDATE: "1",
    PROMPTFOO_CONFIG_DIR: folder,
  };
  execFileSync(process.execPath, ["node_modules/promptfoo/dist/src/entrypoint.js", ...args], {
    env: { ...process.env, ...quiet },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [result] = JSON.parse(readFileSync(output, "utf8")).results.results;
  if (result.error) throw new Error(result.error);
  return { output: result.response.output, assertions: result.gradingResult };
}

export async function chat(server) {
  return evaluate(server, question).output;
}

/** promptfoo does not send results back, so this is the call only. */
export async function tools(server, weather) {
  const { output } = evaluate(server, question, { tools: [functionTool] });
  weather(JSON.parse(output[0].function.arguments));
}

export async function json(server) {
  const format = { type: "json_schema", json_schema: { name: "weather", strict: true, schema: jsonSchema } };
  return evaluate(server, jsonQuestion, { response_format: format }).output;
}

/** Its assertion of similarity, between the answer and itself. */
export async function embeddings(server) {
  const { assertions } = evaluate(server, question, {}, [
    { type: "similar", value: texts[0], threshold: 0.99 },
  ]);
  if (!assertions.pass) throw new Error(assertions.reason);
}
