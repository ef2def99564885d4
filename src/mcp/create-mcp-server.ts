import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
import { BitNetError } from "../errors.js";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import type { LanguageModel } from "../language-model/language-model.js";
import type { GenerateOptions } from "../options/generate-options.js";
import type { McpSdk } from "./sdk.js";

const promptFields = {
  prompt: z.string().describe("The message to the model"),
  system: z.string().optional().describe("Instructions that come before the message"),
  maxTokens: z.int().min(1).optional().describe("Maximum number of tokens of the answer"),
  temperature: z.number().min(0).optional().describe("Randomness: 0 is greedy"),
  seed: z.int().min(0).optional().describe("The same seed gives the same answer"),
};

interface Prompt extends Pick<GenerateOptions, "maxTokens" | "temperature" | "seed"> {
  readonly prompt: string;
  readonly system?: string | undefined;
}

/** An answer and its end. */
interface Answer {
  readonly text: string;
  readonly finishReason: GeneratedPiece["finishReason"];
}

/**
 * A server of MCP's tools `generate`, `complete_json` and `embed`. The SDK turns an error of a tool into a
 * result that says what is wrong.
 *
 * @param version of this package.
 */
export function createMcpServer(sdk: McpSdk, model: LanguageModel, version: string): McpServer {
  const server = new sdk.McpServer({ name: "bitnet-wasm", version });

  async function answer(
    { prompt, system, ...options }: Prompt,
    more: Pick<GenerateOptions, "jsonSchema" | "signal">,
  ): Promise<Answer> {
    using chat = model.chat({ system });
    let text = "";
    let finishReason: GeneratedPiece["finishReason"];
    for await (const piece of chat.send(prompt, { ...options, ...more })) {
      // A thought is not part of the answer.
      if (piece.thinking !== true) text += piece.text;
      finishReason = piece.finishReason;
    }
    return { text, finishReason };
  }

  server.registerTool(
    "generate",
    {
      title: "Generate text",
      description: `Asks the local language model ${model.info.name} and returns its answer.`,
      inputSchema: promptFields,
    },
    async (given, { signal }) => ({
      content: [{ type: "text", text: (await answer(given, { signal })).text }],
    }),
  );

  server.registerTool(
    "complete_json",
    {
      title: "Answer in JSON",
      description: "Asks the local language model and returns JSON that a JSON Schema accepts.",
      inputSchema: {
        ...promptFields,
        schema: z.record(z.string(), z.unknown()).describe("The JSON Schema of the answer"),
      },
    },
    async ({ schema, ...given }, { signal }) => {
      const { text, finishReason } = await answer(given, { jsonSchema: schema, signal });
      if (finishReason !== "length") return { content: [{ type: "text", text }] };
      throw new BitNetError(
        "CONTEXT_FULL",
        "The answer was cut before its JSON was complete: give it more maxTokens, or a schema with limits",
        { details: { text } },
      );
    },
  );

  server.registerTool(
    "embed",
    {
      title: "Embed texts",
      description:
        "Returns a vector of length 1 for each text. The dot product of two vectors is their similarity.",
      inputSchema: {
        texts: z.array(z.string()).min(1),
        kind: z.enum(["document", "query"]).optional().describe("What the texts are for a search"),
      },
      outputSchema: { embeddings: z.array(z.array(z.number())) },
    },
    async ({ texts, kind }, { signal }) => {
      const vectors = await model.embed(texts, { kind, signal });
      const structuredContent = { embeddings: vectors.map((vector) => Array.from(vector)) };
      return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
    },
  );
  return server;
}
