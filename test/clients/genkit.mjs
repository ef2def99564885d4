// Genkit, with the plugin that the row names.
import { defineCompatOpenAIEmbedder, openAICompatible } from "@genkit-ai/compat-oai";
import { genkit, z } from "genkit";
import { ollama } from "genkitx-ollama";
import { collect, jsonQuestion, question, texts, toolDescription, toolName } from "./weather.mjs";

/** Genkit has a zod of its own. */
const schema = z.object({ city: z.enum(["Ulm", "Bonn"]), days: z.number().int().min(1).max(9) });
const plugins = {
  openai: ({ url, key, model }) =>
    openAICompatible({
      name: "openai",
      apiKey: key,
      baseURL: `${url}/v1`,
      initializer: async (client) => [
        defineCompatOpenAIEmbedder({ name: model, client, pluginOptions: { name: "openai" } }),
      ],
    }),
  ollama: ({ url, model, dimensions }) =>
    ollama({
      serverAddress: url,
      models: [{ name: model, type: "chat", supports: { tools: true } }],
      embedders: [{ name: model, dimensions }],
    }),
};
const open = (server) => genkit({ plugins: [plugins[server.mode](server)] });
const ask = ({ mode, model }, prompt) => ({ model: `${mode}/${model}`, prompt });

export async function chat(server) {
  return (await open(server).generate(ask(server, question))).text;
}

export async function stream(server) {
  return collect(open(server).generateStream(ask(server, question)).stream, ({ text }) => text);
}

export async function tools(server, weather) {
  const ai = open(server);
  const definition = { name: toolName, description: toolDescription, inputSchema: schema };
  const called = ai.defineTool(definition, async (given) => weather(given));
  return (await ai.generate({ ...ask(server, question), tools: [called], maxTurns: 3 })).text;
}

export async function json(server) {
  return (await open(server).generate({ ...ask(server, jsonQuestion), output: { schema } })).output;
}

export async function embeddings(server) {
  const embedder = `${server.mode}/${server.model}`;
  const all = await open(server).embedMany({ embedder, content: texts, options: {} });
  return all.map(({ embedding }) => embedding);
}
