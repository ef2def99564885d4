// The question that every client asks. test/support/weather-model.ts makes the model that answers it.
import { z } from "zod";

export const question = "What is the weather in Ulm?";
export const jsonQuestion = "What is the weather in Ulm? Answer in JSON.";
export const toolName = "weather";
export const toolDescription = "The weather of a city";
/** Of the answer in JSON, and of the tool's arguments. */
export const schema = z.object({ city: z.enum(["Ulm", "Bonn"]), days: z.int().min(1).max(9) });
export const jsonSchema = z.toJSONSchema(schema);
/** The tool in OpenAI's and Ollama's form. */
export const functionTool = {
  type: "function",
  function: { name: toolName, description: toolDescription, parameters: jsonSchema },
};
export const texts = ["Rain in Ulm.", "It rains today!"];
export const messages = [{ role: "user", content: question }];
export const jsonMessages = [{ role: "user", content: jsonQuestion }];

/** The pieces of a stream, and the text of each. */
export async function collect(stream, textOf = (part) => part) {
  const pieces = [];
  for await (const part of stream) {
    const text = textOf(part);
    if (text) pieces.push(text);
  }
  return pieces;
}
