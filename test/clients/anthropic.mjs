import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { collect, jsonMessages, messages, schema, toolDescription, toolName } from "./weather.mjs";

const open = ({ url, key }) => new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const ask = ({ model }) => ({ model, max_tokens: 200, messages });
const textOf = ({ content }) => content.map(({ text = "" }) => text).join("");

export async function chat(server) {
  return textOf(await open(server).messages.create(ask(server)));
}

export async function stream(server) {
  const events = open(server).messages.stream(ask(server));
  return collect(events, ({ delta }) => delta?.text);
}

export async function tools(server, weather) {
  const tool = betaZodTool({
    name: toolName,
    description: toolDescription,
    inputSchema: schema,
    run: weather,
  });
  return textOf(await open(server).beta.messages.toolRunner({ ...ask(server), tools: [tool] }));
}

export async function json(server) {
  const format = zodOutputFormat(schema);
  const request = { ...ask(server), messages: jsonMessages, output_config: { format } };
  return (await open(server).messages.parse(request)).parsed_output;
}
