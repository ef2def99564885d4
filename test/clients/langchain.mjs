// LangChain, with the package that the row names.
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOllama, OllamaEmbeddings } from "@langchain/ollama";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { collect, jsonQuestion, question, schema, texts, toolDescription, toolName } from "./weather.mjs";

const makers = {
  openai: ({ url, key, model }) => {
    const settings = { model, apiKey: key, maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
    return { chat: new ChatOpenAI(settings), embeddings: new OpenAIEmbeddings(settings) };
  },
  ollama: ({ url, model }) => ({
    chat: new ChatOllama({ model, baseUrl: url, checkOrPullModel: true, maxRetries: 0 }),
    embeddings: new OllamaEmbeddings({ model, baseUrl: url, maxRetries: 0 }),
  }),
};
const open = (server) => makers[server.mode](server);

export async function chat(server) {
  return (await open(server).chat.invoke(question)).text;
}

export async function stream(server) {
  return collect(await open(server).chat.stream(question), ({ text }) => text);
}

export async function tools(server, weather) {
  const called = tool(weather, { name: toolName, description: toolDescription, schema });
  const model = open(server).chat.bindTools([called]);
  const asked = new HumanMessage(question);
  const answer = await model.invoke([asked]);
  const results = await Promise.all(answer.tool_calls.map((call) => called.invoke(call)));
  if (!results.every((result) => result instanceof ToolMessage)) throw new Error("no tool messages");
  return (await model.invoke([asked, answer, ...results])).text;
}

export async function json(server) {
  const structured = open(server).chat.withStructuredOutput(schema, { method: "jsonSchema" });
  return structured.invoke(jsonQuestion);
}

export async function embeddings(server) {
  return open(server).embeddings.embedDocuments(texts);
}
