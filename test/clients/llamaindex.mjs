import { Ollama, OllamaEmbedding } from "@llamaindex/ollama";
import { tool } from "llamaindex";
import {
  collect,
  jsonMessages,
  jsonSchema,
  messages,
  schema,
  texts,
  toolDescription,
  toolName,
} from "./weather.mjs";

const open = ({ url, model }, options) => new Ollama({ model, config: { host: url }, options });

export async function chat(server) {
  return (await open(server).chat({ messages })).message.content;
}

export async function stream(server) {
  return collect(await open(server).chat({ messages, stream: true }), ({ delta }) => delta);
}

export async function tools(server, weather) {
  const called = tool({ name: toolName, description: toolDescription, parameters: schema, execute: weather });
  const { newMessages } = await open(server).exec({ messages, tools: [called] });
  const answer = await open(server).exec({ messages: [...messages, ...newMessages], tools: [called] });
  return answer.newMessages.at(-1).content;
}

export async function json(server) {
  const { message } = await open(server).chat({ messages: jsonMessages, responseFormat: jsonSchema });
  return JSON.parse(message.content);
}

export async function embeddings({ url, model }) {
  return new OllamaEmbedding({ model, config: { host: url } }).getTextEmbeddings(texts);
}
