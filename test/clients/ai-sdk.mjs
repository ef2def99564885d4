// The AI SDK, with the provider that the row names.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, isStepCount, Output, stepCountIs, streamText, tool } from "ai";
import { createOllama } from "ollama-ai-provider-v2";
import { collect, jsonQuestion, question, schema, texts, toolDescription } from "./weather.mjs";

/** The provider of this package, without a server. */
async function ownProvider({ dist, path }) {
  const [{ bitnet }, { loadModel }] = await Promise.all(
    ["ai-sdk/index.js", "index.js"].map((name) => import(new URL(name, dist))),
  );
  const model = await loadModel(path, { threads: 1 });
  return Object.assign(() => bitnet(model), { embeddingModel: () => bitnet.embedding(model) });
}

const providers = {
  openai: ({ url, key }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }),
  anthropic: ({ url, key }) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key }),
  ollama: ({ url }) => createOllama({ baseURL: `${url}/api` }),
  bitnet: ownProvider,
};
const provider = async (server) => providers[server.mode](server);
const ask = async (server, prompt) => ({
  model: (await provider(server))(server.model),
  prompt,
  maxRetries: 0,
});

export async function chat(server) {
  return (await generateText(await ask(server, question))).text;
}

export async function stream(server) {
  return collect(streamText(await ask(server, question)).textStream);
}

export async function tools(server, weather) {
  const { text } = await generateText({
    ...(await ask(server, question)),
    tools: { weather: tool({ description: toolDescription, inputSchema: schema, execute: weather }) },
    stopWhen: (isStepCount ?? stepCountIs)(3),
  });
  return text;
}

export async function json(server) {
  return (await generateText({ ...(await ask(server, jsonQuestion)), output: Output.object({ schema }) }))
    .output;
}

export async function embeddings(server) {
  const { embeddings: vectors } = await embedMany({
    model: (await provider(server)).embeddingModel(server.model),
    values: texts,
  });
  return vectors;
}
