import { Agent, run, setDefaultOpenAIClient, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { collect, jsonQuestion, question, schema, toolDescription, toolName } from "./weather.mjs";

function agent({ url, key, model }, settings = {}) {
  setTracingDisabled(Boolean("always"));
  setDefaultOpenAIClient(new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 }));
  return new Agent({ name: "Weather", instructions: "Be brief.", model, ...settings });
}

export async function chat(server) {
  return (await run(agent(server), question)).finalOutput;
}

export async function stream(server) {
  const result = await run(agent(server), question, { stream: true });
  return collect(result.toTextStream());
}

export async function tools(server, weather) {
  const call = tool({ name: toolName, description: toolDescription, parameters: schema, execute: weather });
  return (await run(agent(server, { tools: [call] }), question, { maxTurns: 3 })).finalOutput;
}

export async function json(server) {
  return (await run(agent(server, { outputType: schema }), jsonQuestion)).finalOutput;
}
