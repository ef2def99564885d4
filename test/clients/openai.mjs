import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { collect, functionTool, jsonMessages, messages, schema, texts } from "./weather.mjs";

const open = ({ url, key }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });

export async function chat(server) {
  const { choices } = await open(server).chat.completions.create({ model: server.model, messages });
  return choices[0].message.content;
}

export async function stream(server) {
  const ask = { model: server.model, messages, stream: true };
  const chunks = await open(server).chat.completions.create(ask);
  return collect(chunks, ({ choices }) => choices[0]?.delta.content);
}

export async function tools(server, weather) {
  const runner = open(server).chat.completions.runTools({
    model: server.model,
    messages,
    tools: [
      { ...functionTool, function: { ...functionTool.function, function: weather, parse: JSON.parse } },
    ],
  });
  return runner.finalContent();
}

export async function json(server) {
  const format = zodResponseFormat(schema, "weather");
  const ask = { model: server.model, messages: jsonMessages, response_format: format };
  const { choices } = await open(server).chat.completions.parse(ask);
  return choices[0].message.parsed;
}

export async function embeddings(server) {
  const { data } = await open(server).embeddings.create({ model: server.model, input: texts });
  return data.map(({ embedding }) => embedding);
}
