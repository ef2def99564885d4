import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type OpenCli, openCliServer } from "./cli-server.js";
import { realModelPath } from "./settings.js";

const path = realModelPath("smollm2");

describe.runIf(path)("an agent with SmolLM2 and a template that knows tools", () => {
  let server: OpenCli;
  beforeAll(async () => {
    const template = fileURLToPath(new URL("tools.jinja", import.meta.url));
    server = await openCliServer([path ?? "", "--chat-template", template]);
  });
  afterAll(async () => {
    expect(await server.close()).toBe(0);
  });

  it("calls, reads the result, calls again with it, and answers from the second result", async () => {
    const given: unknown[] = [];
    const tools = {
      find_capital: tool({
        description: "Finds the capital of a country",
        inputSchema: z.strictObject({ country: z.enum(["Germany", "France", "Italy"]) }),
        execute: (input) => {
          given.push(input);
          return { capital: "Paris" };
        },
      }),
      get_weather: tool({
        description: "Current weather of a city",
        inputSchema: z.strictObject({ city: z.string().max(20) }),
        execute: (input) => {
          given.push(input);
          return { weather: "snow", celsius: -3 };
        },
      }),
    };
    const provider = createOpenAICompatible({ name: "bitnet", baseURL: `${server.url}/v1` });
    const ask = {
      model: provider("smollm2"),
      temperature: 0,
      maxOutputTokens: 100,
      maxRetries: 0,
      tools,
      system: "Use the functions. Answer in one sentence, with the weather that the function gives.",
      prompt: "What is the weather in the capital of France?",
      stopWhen: stepCountIs(3),
      prepareStep: ({ stepNumber }: { readonly stepNumber: number }) => ({
        toolChoice:
          stepNumber === 0
            ? ({ type: "tool", toolName: "find_capital" } as const)
            : stepNumber === 1
              ? ({ type: "tool", toolName: "get_weather" } as const)
              : ("auto" as const),
      }),
    };
    const whole = await generateText(ask);
    expect(whole.steps.map(({ finishReason }) => finishReason)).toEqual(["tool-calls", "tool-calls", "stop"]);
    // The grammar makes the calls valid. The model chooses their values: the second from the first result.
    expect(given).toEqual([{ country: "France" }, { city: "Paris" }]);
    expect(whole.text).toMatch(/snow|-3/i);

    let deltas = 0;
    const streamed = streamText(ask);
    for await (const part of streamed.fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "tool-input-delta") deltas += 1;
    }
    expect(await streamed.text).toBe(whole.text);
    expect((await streamed.steps).flatMap(({ toolCalls }) => toolCalls.map(({ input }) => input))).toEqual(
      given.slice(0, 2),
    );
    expect(deltas).toBeGreaterThan(4);
  });
});
