// The AI SDK, with the provider that the row names.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, isStepCount, Output, stepCountIs, streamText, tool } from "ai";
import { createOllama } from "ollama-ai-provider-v2";
import { collect, jsonQuestion, question, schema, texts, toolDescription } from "./weather.mjs";

const providers = {
  openai: ({ url, key }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }),
  anthropic: ({ url, key }) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key }),
  ollama: ({ url }) => createOllama({ baseURL: `${url}/api` }),
};
const provider = (server) => providers[server.mode](server);
const ask = (server, prompt) => ({ model: provider(server)(server.model), prompt, maxRetries: 0 });

export async function chat(server) {
  return (await generateText(ask(server, question))).text;
}

export async function stream(server) {
  return collect(streamText(ask(server, question)).textStream);
}

export async function tools(server, weather) {
  const { text } = await generateText({
    ...ask(server, question),
    tools: { weather: tool({ description: toolDescription, inputSchema: schema, execute: weather }) },
    stopWhen: (isStepCount ?? stepCountIs)(3),
  });
  return text;
}

export async function json(server) {
  return (await generateText({ ...ask(server, jsonQuestion), output: Output.object({ schema }) })).output;
}

export async function embeddings(server) {
  const { embeddings: vectors } = await embedMany({
    model: provider(server).embeddingModel(server.model),
    values: texts,
  });
  return vectors;
}
