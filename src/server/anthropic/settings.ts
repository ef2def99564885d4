import { z } from "zod";
import type { GenerateOptions } from "../../options/generate-options.js";
import type { RequestField, SamplingOption } from "../../options/sampling-table.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { anyFields, listOf } from "../requests/fields.js";
import type { AskedSchema } from "../requests/json-format.js";
import { optionFields } from "../requests/option-fields.js";
import { effortField, readEffort, type TemplateRequest } from "../requests/thinking.js";
import { maxTools, toolFields, type ToolRequest } from "../requests/tool-calls.js";

const tool = z.object({
  type: optional(z.literal("custom", { error: 'expected "custom": this server has no tools of its own' })),
  name: toolFields.name,
  description: toolFields.description,
  input_schema: toolFields.parameters,
});

/** Tools, as Anthropic describes them. */
export const toolsPart: RequestPart<ToolRequest> = requestPart(
  {
    tools: optional(listOf(tool, { max: maxTools })),
    tool_choice: optional(
      z.object({
        type: optional(z.enum(["auto", "any", "tool", "none"])),
        name: optional(z.string()),
        disable_parallel_tool_use: optional(z.boolean()),
      }),
    ),
  },
  ({ tools = [], tool_choice: choice }) => {
    const type = choice?.type ?? "auto";
    return {
      tools: tools.map(({ name, description, input_schema: parameters }) => ({
        type: "function",
        function: { name, description, parameters },
      })),
      choice: type === "tool" ? { name: choice?.name ?? "" } : type === "any" ? "required" : type,
      parallel:
        choice?.disable_parallel_tool_use === undefined ? undefined : !choice.disable_parallel_tool_use,
    };
  },
);

/** How the model is to think. */
export interface ThinkingRequest extends Pick<TemplateRequest, "variables" | "thinking"> {
  /** Whether the request leaves thinking to its default. Anthropic's default is not to think. */
  readonly isDefault: boolean;
  readonly maxThinkingTokens: number | undefined;
}

/** `thinking` and `output_config`. The answer keeps to the schema. */
export const thinkingPart: RequestPart<ThinkingRequest & { readonly format: AskedSchema | undefined }> =
  requestPart(
    {
      thinking: optional(
        z.discriminatedUnion(
          "type",
          [
            z.object({ type: z.literal("enabled"), budget_tokens: optional(z.int().min(1)) }),
            z.object({ type: z.literal("adaptive") }),
            z.object({ type: z.literal("disabled") }),
          ],
          { error: 'expected "enabled", "adaptive" or "disabled"' },
        ),
      ),
      output_config: optional(
        z.object({
          effort: effortField,
          format: optional(z.object({ type: z.literal("json_schema"), schema: anyFields })),
        }),
      ),
    },
    ({ thinking: given, output_config: { effort, format } = {} }) => {
      const wanted = readEffort(effort, {});
      const decides = { enabled: true, disabled: false, adaptive: undefined };
      return {
        variables: given?.type === "disabled" ? {} : wanted.variables,
        thinking: given === undefined ? wanted.thinking : decides[given.type],
        isDefault: given === undefined && effort === undefined,
        maxThinkingTokens: given?.type === "enabled" ? given.budget_tokens : undefined,
        format:
          format === undefined ? undefined : { param: "output_config.format.schema", schema: format.schema },
      };
    },
  );

/** Anthropic's names, where they are not OpenAI's, and further options of both. */
const fieldOf: Partial<Record<SamplingOption["name"], RequestField>> = {
  maxTokens: { field: "max_tokens" },
  temperature: { field: "temperature", max: 2 },
  topK: { field: "top_k" },
  topP: { field: "top_p" },
  minP: { field: "min_p" },
  repeatPenalty: { field: "repeat_penalty" },
  seed: { field: "seed" },
  stop: { field: "stop_sequences" },
};
const options = optionFields(({ name }) => fieldOf[name]);

/** The sampling options. Absent fields have the library's defaults. */
export const samplingPart: RequestPart<GenerateOptions> = requestPart(options.shape, options.read);
