import { z } from "zod";
import { badRequest } from "../failures.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import type { CallPart, ChoiceContent, ChoiceEnd, WholeCall, WholeContent } from "../requests/choice.js";
import { listOf } from "../requests/fields.js";
import { maxTools, toolFields, type ToolRequest, toolsPart } from "../requests/tool-calls.js";

/** The tools of a chat. */
export interface ChatTools extends ToolRequest {
  /** How its answer has calls. */
  readonly form: CallFields;
}

const legacyPart = requestPart(
  {
    functions: optional(listOf(z.object(toolFields), { max: maxTools })),
    function_call: optional(
      z.union([z.enum(["none", "auto"]), z.object({ name: z.string() })], {
        error: 'expected "none", "auto" or { name }',
      }),
    ),
  },
  ({ functions, function_call: choice = "auto" }): ChatTools | undefined =>
    functions && {
      tools: functions.map((each) => ({ type: "function", function: each })),
      choice,
      // The older form has a single call.
      parallel: false,
      form: functionCall,
    },
);

/** The fields about tools, also in OpenAI's older form: `functions` and `function_call`. */
export const chatToolsPart: RequestPart<ChatTools> = requestPart(
  { ...toolsPart.shape, ...legacyPart.shape },
  (fields, limits) => {
    const current = toolsPart.read(fields, limits);
    const legacy = legacyPart.read(fields, limits);
    if (legacy !== undefined && current.tools.length > 0) {
      throw badRequest("functions", "Invalid functions: give either functions or tools");
    }
    return legacy ?? { ...current, form: toolCalls };
  },
);

/** The fields of an answer that have calls. */
export interface CallFields {
  readonly whole: (calls: WholeContent["calls"]) => object;
  readonly part: (call: CallPart) => object;
  readonly finishReason: (reason: ChoiceEnd | null) => string | null;
}

const toolCalls: CallFields = {
  whole: (calls) => (calls.length === 0 ? {} : { tool_calls: calls.map(describeCall) }),
  part: ({ index, id, name, begins, text }) => ({
    tool_calls: [
      begins
        ? { index, id, type: "function", function: { name, arguments: text } }
        : { index, function: { arguments: text } },
    ],
  }),
  finishReason: (reason) => reason,
};

const functionCall: CallFields = {
  whole: ([call]) =>
    call === undefined ? {} : { function_call: { name: call.name, arguments: call.whole } },
  part: ({ name, begins, text }) => ({ function_call: { ...(begins && { name }), arguments: text } }),
  finishReason: (reason) => (reason === "tool_calls" ? "function_call" : reason),
};

function describeCall({ id, name, whole }: WholeCall): object {
  return { id, type: "function", function: { name, arguments: whole } };
}

/** The delta of a chunk. */
export function describeDelta({ text, thinking, call }: ChoiceContent, form: CallFields): object {
  return {
    ...((text !== "" || (thinking === "" && call === undefined)) && { content: text }),
    ...(thinking !== "" && { reasoning_content: thinking }),
    ...(call !== undefined && form.part(call)),
  };
}
