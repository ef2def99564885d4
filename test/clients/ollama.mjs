import { Ollama } from "ollama";
import { collect, functionTool, jsonMessages, jsonSchema, messages, texts, toolName } from "./weather.mjs";

const open = ({ url }) => new Ollama({ host: url });

export async function chat(server) {
  return (await open(server).chat({ model: server.model, messages })).message.content;
}

export async function stream(server) {
  const parts = await open(server).chat({ model: server.model, messages, stream: true });
  return collect(parts, ({ message }) => message.content);
}

export async function tools(server, weather) {
  const ask = { model: server.model, tools: [functionTool] };
  const { message } = await open(server).chat({ ...ask, messages });
  const content = weather(message.tool_calls[0].function.arguments);
  const result = { role: "tool", tool_name: toolName, content };
  const answer = await open(server).chat({ ...ask, messages: [...messages, message, result] });
  return answer.message.content;
}

export async function json(server) {
  const ask = { model: server.model, messages: jsonMessages, format: jsonSchema };
  return JSON.parse((await open(server).chat(ask)).message.content);
}

export async function embeddings(server) {
  return (await open(server).embed({ model: server.model, input: texts })).embeddings;
}
