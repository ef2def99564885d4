import { z } from "zod";
import { optional, type RequestPart, requestPart } from "../../requests/body.js";
import { anyFields, listOf } from "../../requests/fields.js";
import { anyObject, type AskedSchema } from "../../requests/json-format.js";
import { effortField, readEffort, type TemplateRequest } from "../../requests/thinking.js";
import { maxTools, toolFields, type ToolRequest } from "../../requests/tool-calls.js";

/** A part of a request that the response repeats. */
export interface Repeated<T> {
  readonly value: T;
  /** The fields, for the response. */
  readonly fields: object;
}

const tool = z.object({
  type: z.literal("function", { error: 'expected "function": this server has no built-in tools' }),
  ...toolFields,
  strict: optional(z.boolean()),
});

/** Tools, in the flat form of `/v1/responses`. */
export const responseToolsPart: RequestPart<Repeated<ToolRequest>> = requestPart(
  {
    tools: optional(listOf(tool, { max: maxTools })),
    tool_choice: optional(
      z.union(
        [z.enum(["none", "auto", "required"]), z.object({ type: z.literal("function"), name: z.string() })],
        { error: 'expected "none", "auto", "required" or { type: "function", name }' },
      ),
    ),
    parallel_tool_calls: optional(z.boolean()),
  },
  ({ tools = [], tool_choice: choice = "auto", parallel_tool_calls: parallel }) => ({
    value: {
      parallel,
      tools: tools.map(({ type, name, description, parameters }) => ({
        type,
        function: { name, description, parameters },
      })),
      choice: typeof choice === "object" ? { name: choice.name } : choice,
    },
    fields: {
      tools: tools.map(({ parameters = null, strict = false, ...rest }) => ({ ...rest, parameters, strict })),
      tool_choice: choice,
      parallel_tool_calls: parallel ?? true,
    },
  }),
);

const format = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object") }),
    z.object({
      type: z.literal("json_schema"),
      name: optional(z.string()),
      description: optional(z.string()),
      strict: optional(z.boolean()),
      schema: anyFields,
    }),
  ],
  {
    error: 'expected { type: "text" }, { type: "json_object" } or { type: "json_schema", name, schema }',
  },
);

/** `text.format`, as the schema of the answer. */
export const textPart: RequestPart<Repeated<AskedSchema | undefined>> = requestPart(
  { text: optional(z.object({ format: optional(format) })) },
  ({ text }) => {
    const given = text?.format ?? ({ type: "text" } as const);
    const fields = { text: { format: given } };
    if (given.type === "text") return { value: undefined, fields };
    const schema = given.type === "json_schema" ? given.schema : anyObject;
    return { value: { param: "text.format.schema", schema }, fields };
  },
);

/** How the model is to think, and how its thought is shown. */
export interface Reasoning {
  readonly template: TemplateRequest;
  /** Whether the thought is sent as a summary, the only form that some clients show. */
  readonly asSummary: boolean;
}

/** `reasoning`, with the template's variables of vLLM and llama.cpp's server. */
export const reasoningPart: RequestPart<Repeated<Reasoning>> = requestPart(
  {
    reasoning: optional(
      z.object({
        effort: effortField,
        summary: optional(z.enum(["auto", "concise", "detailed"])),
        // The older name.
        generate_summary: optional(z.enum(["auto", "concise", "detailed"])),
      }),
    ),
    chat_template_kwargs: optional(anyFields),
  },
  ({ reasoning: { effort, summary, generate_summary: older } = {}, chat_template_kwargs: given = {} }) => ({
    value: {
      template: { ...readEffort(effort, given), continueLast: false },
      asSummary: (summary ?? older) !== undefined,
    },
    fields: { reasoning: { effort: effort ?? null, summary: summary ?? older ?? null } },
  }),
);
