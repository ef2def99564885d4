import type { ToolMessage } from "./chat-messages.js";
import type { Origin } from "./template-text.js";
import { Spelling } from "./template-values.js";

/** How a template takes the calls of earlier messages. */
export interface CallForm {
  /** Whether arguments are JSON text. Most templates take an object. */
  readonly argumentsAsText: boolean;
  /** The only length of ids that the template takes. Undefined: any. */
  readonly idLength: number | undefined;
  /** Whether calls without ids are refused. */
  readonly needsIds: boolean;
}

const usualForm: CallForm = { argumentsAsText: false, idLength: undefined, needsIds: false };

/** A message as templates know it. Only a role that is one of the known words is the template's own. */
export function shownMessage(message: ToolMessage, origin: Origin, form: CallForm = usualForm): object {
  const { role, content, thinking, toolCalls, toolCallId, toolName } = message;
  return {
    role: new Spelling(role, roles.has(role) ? "0" : "1"),
    content: new Spelling(content, origin),
    // Most templates know the first name. Those of LFM 2.5 know the second.
    ...(thinking !== undefined && { reasoning_content: thinking, thinking }),
    ...(toolCalls !== undefined &&
      toolCalls.length > 0 && {
        tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
          ...(id !== undefined && { id: shownId(id, form) }),
          type: "function",
          function: { name, arguments: form.argumentsAsText ? JSON.stringify(given) : given },
        })),
      }),
    ...(toolCallId !== undefined && { tool_call_id: shownId(toolCallId, form) }),
    ...(toolName !== undefined && { name: toolName }),
  };
}

const roles: ReadonlySet<string> = new Set(["system", "user", "assistant", "tool"]);

/**
 * Messages in which every call has an id, and every result the id of its call. Ollama's clients give none. A
 * result without an id belongs to the first open call of its tool, or else to the first open call.
 */
export function numberCalls(messages: readonly ToolMessage[]): readonly ToolMessage[] {
  let count = 0;
  let open: readonly { readonly id: string; readonly name: string }[] = [];
  return messages.map((message) => {
    const { role, toolCalls, toolCallId, toolName } = message;
    if (toolCalls !== undefined && toolCalls.length > 0) {
      const numbered = toolCalls.map((call) => ({ ...call, id: call.id ?? `call${(count += 1)}` }));
      open = numbered;
      return { ...message, toolCalls: numbered };
    }
    if (role !== "tool") return message;
    const own = toolCallId ?? (open.find(({ name }) => name === toolName) ?? open[0])?.id;
    open = open.filter(({ id }) => id !== own);
    return own === undefined ? message : { ...message, toolCallId: own };
  });
}

/** The same id for a call and its result. */
function shownId(id: string, { idLength }: CallForm): string {
  if (idLength === undefined || id.length === idLength) return id;
  return id
    .replaceAll(/[^a-zA-Z0-9]/g, "")
    .slice(-idLength)
    .padStart(idLength, "0");
}

/** Mistral's templates refuse other lengths of ids, or shorter ids. */
const refusesIds = /\bid\s*\|\s*length\s*(?:!=|<)\s*(\d{1,2})\b/;

/** Finds out what a template takes: a call that is in its text was taken. */
export function probeCallForm(
  source: string,
  render: (messages: readonly ToolMessage[], form: CallForm) => string,
): CallForm {
  const [, length] = refusesIds.exec(source) ?? [];
  const idLength = length === undefined ? undefined : Number(length);
  const form: CallForm = { argumentsAsText: false, idLength, needsIds: false };
  const given = { key_of_a_call: "value_of_a_call" };
  const name = "name_of_a_tool";
  const callWith = (id: string | undefined): readonly ToolMessage[] => [
    { role: "user", content: "?" },
    { role: "assistant", content: "", toolCalls: [{ id, name, arguments: given }] },
  ];
  const answered = (id: string | undefined): readonly ToolMessage[] => [
    ...callWith(id),
    { role: "tool", content: "result_of_a_call", toolName: name, toolCallId: id },
  ];
  /** Undefined if the template refuses the messages. */
  const textOf = (messages: readonly ToolMessage[], tried: CallForm): string | undefined => {
    try {
      return render(messages, tried);
    } catch {
      return undefined;
    }
  };
  const shows = (tried: CallForm, expected: readonly string[]): boolean => {
    const text = textOf(callWith("call"), tried);
    return text !== undefined && expected.every((each) => text.includes(each));
  };
  const asText = { ...form, argumentsAsText: true };
  const wantsText =
    !shows(form, ["key_of_a_call", "value_of_a_call"]) && shows(asText, [JSON.stringify(given)]);
  const found = wantsText ? asText : form;
  const takes = (id: string | undefined): boolean => textOf(answered(id), found) !== undefined;
  return { ...found, needsIds: takes("call") && !takes(undefined) };
}
