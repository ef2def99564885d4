// Instructor answers in JSON only, in the mode that the row names.
import Instructor from "@instructor-ai/instructor";
import OpenAI from "openai";
import { jsonMessages, schema } from "./weather.mjs";

const open = ({ url, key, mode }) =>
  Instructor({ client: new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 }), mode });
const ask = ({ model }) => ({
  model,
  messages: jsonMessages,
  // In the modes with tools, its name is the tool's.
  response_model: { schema, name: "weather" },
  max_retries: 0,
});

export async function json(server) {
  const { city, days } = await open(server).chat.completions.create(ask(server));
  return { city, days };
}

/** Each part is the object so far. */
export async function stream(server) {
  const parts = await open(server).chat.completions.create({ ...ask(server), stream: true });
  const objects = [];
  for await (const { city, days } of parts) objects.push({ city, days });
  return objects;
}
