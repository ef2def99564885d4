import type { ToolMessage } from "./chat-messages.js";
import type { Origin } from "./template-text.js";
import { Spelling } from "./template-values.js";

/** How a template takes the calls of earlier messages. */
export interface CallForm {
  /** Whether arguments are JSON text. Most templates take an object. */
  readonly argumentsAsText: boolean;
  /** The only length of ids that the template takes. Undefined: any. */
  readonly idLength: number | undefined;
}

const usualForm: CallForm = { argumentsAsText: false, idLength: undefined };

/** A message as templates know it. Only a role that is one of the known words is the template's own. */
export function shownMessage(message: ToolMessage, origin: Origin, form: CallForm = usualForm): object {
  const { role, content, thinking, toolCalls, toolCallId, toolName } = message;
  return {
    role: new Spelling(role, roles.has(role) ? "0" : "1"),
    content: new Spelling(content, origin),
    ...(thinking !== undefined && { reasoning_content: thinking }),
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

/** The same id for a call and its result. */
function shownId(id: string, { idLength }: CallForm): string {
  if (idLength === undefined || id.length === idLength) return id;
  return id
    .replaceAll(/[^a-zA-Z0-9]/g, "")
    .slice(-idLength)
    .padStart(idLength, "0");
}

/** Mistral's templates refuse other lengths of ids. */
const refusesIds = /\bid\s*\|\s*length\s*!=\s*(\d{1,2})\b/;

/** Finds out what a template takes: a call that is in its text was taken. */
export function probeCallForm(
  source: string,
  render: (messages: readonly ToolMessage[], form: CallForm) => string,
): CallForm {
  const [, length] = refusesIds.exec(source) ?? [];
  const idLength = length === undefined ? undefined : Number(length);
  const form: CallForm = { argumentsAsText: false, idLength };
  const given = { key_of_a_call: "value_of_a_call" };
  const messages: ToolMessage[] = [
    { role: "user", content: "?" },
    { role: "assistant", content: "", toolCalls: [{ id: "call", name: "name_of_a_tool", arguments: given }] },
  ];
  const shows = (tried: CallForm, expected: readonly string[]): boolean => {
    try {
      const text = render(messages, tried);
      return expected.every((each) => text.includes(each));
    } catch {
      return false;
    }
  };
  if (shows(form, ["key_of_a_call", "value_of_a_call"])) return form;
  const asText = { ...form, argumentsAsText: true };
  return shows(asText, [JSON.stringify(given)]) ? asText : form;
}
