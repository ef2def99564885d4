import { argumentsOf, type CallPart, type ChoiceContent } from "../../requests/choice.js";
import { newId } from "../../requests/ids.js";

/** An event of a stream, without its number. */
export type OutputEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** An item of the output. */
export type OutputItem = Readonly<Record<string, unknown>> & { readonly id: string };

/** The items of an answer, as its content comes in. */
export interface Output {
  /** Adds content. @returns the events about it. */
  readonly push: (content: ChoiceContent) => OutputEvent[];
  /** Ends the last item. */
  end(status: "completed" | "incomplete"): OutputEvent[];
  /** The items that have ended. */
  readonly items: readonly OutputItem[];
}

/** A kind of item whose content is one text. */
interface TextKind {
  readonly idPrefix: string;
  /** The names of the events about the part and about its text. */
  readonly partEvent: string;
  readonly textEvent: string;
  readonly index: "content_index" | "summary_index";
  /** Further fields of the events about the text. */
  readonly more: object;
  readonly part: (text: string) => object;
  /** The item. @param parts none while the item begins. */
  readonly item: (parts: readonly object[]) => object;
}

const message: TextKind = {
  idPrefix: "msg_",
  partEvent: "response.content_part",
  textEvent: "response.output_text",
  index: "content_index",
  more: { logprobs: [] },
  part: (text) => ({ type: "output_text", text, annotations: [], logprobs: [] }),
  item: (content) => ({ type: "message", role: "assistant", content }),
};
const reasoning: TextKind = {
  idPrefix: "rs_",
  partEvent: "response.content_part",
  textEvent: "response.reasoning_text",
  index: "content_index",
  more: {},
  part: (text) => ({ type: "reasoning_text", text }),
  item: (content) => ({ type: "reasoning", summary: [], content }),
};
const reasoningSummary: TextKind = {
  idPrefix: "rs_",
  partEvent: "response.reasoning_summary_part",
  textEvent: "response.reasoning_summary_text",
  index: "summary_index",
  more: {},
  part: (text) => ({ type: "summary_text", text }),
  item: (summary) => ({ type: "reasoning", summary }),
};

/** A text that is being written. */
interface OpenItem {
  readonly kind: TextKind;
  readonly id: string;
  text: string;
}

/** @param options.asSummary whether a thought is sent as a summary. */
export function createOutput({ asSummary }: { readonly asSummary: boolean }): Output {
  const thought = asSummary ? reasoningSummary : reasoning;
  const items: OutputItem[] = [];
  let open: OpenItem | undefined;
  let callItemId = "";

  const added = (item: OutputItem): OutputEvent => ({
    type: "response.output_item.added",
    output_index: items.length,
    item,
  });
  function done(item: OutputItem): OutputEvent {
    const event = { type: "response.output_item.done", output_index: items.length, item };
    items.push(item);
    return event;
  }
  const place = ({ kind, id }: OpenItem): object => ({
    item_id: id,
    output_index: items.length,
    [kind.index]: 0,
  });
  const itemOf = ({ kind, id }: OpenItem, status: string, parts: readonly object[]): OutputItem => ({
    id,
    ...kind.item(parts),
    status,
  });

  function begin(kind: TextKind): OutputEvent[] {
    open = { kind, id: newId(kind.idPrefix), text: "" };
    return [
      added(itemOf(open, "in_progress", [])),
      { type: `${kind.partEvent}.added`, ...place(open), part: kind.part("") },
    ];
  }
  function write(kind: TextKind, delta: string): OutputEvent[] {
    const events = open?.kind === kind ? [] : [...close("completed"), ...begin(kind)];
    if (open === undefined || delta === "") return events;
    open.text += delta;
    return [...events, { type: `${kind.textEvent}.delta`, ...place(open), delta, ...kind.more }];
  }
  function close(status: string): OutputEvent[] {
    if (open === undefined) return [];
    const { kind, text } = open;
    const part = kind.part(text);
    const events = [
      { type: `${kind.textEvent}.done`, ...place(open), text, ...kind.more },
      { type: `${kind.partEvent}.done`, ...place(open), part },
      done(itemOf(open, status, [part])),
    ];
    open = undefined;
    return events;
  }
  /** A part of a call. Nothing else comes between its parts. */
  function writeCall({ id: callId, name, begins, text, whole }: CallPart): OutputEvent[] {
    const events = begins ? close("completed") : [];
    if (begins) callItemId = newId("fc_");
    const item = { id: callItemId, type: "function_call", call_id: callId, name };
    const about = { item_id: callItemId, output_index: items.length };
    if (begins) events.push(added({ ...item, arguments: "", status: "in_progress" }));
    if (text !== "") {
      events.push({ type: "response.function_call_arguments.delta", ...about, delta: text });
    }
    if (whole !== undefined) {
      const status = argumentsOf(whole) === undefined ? "incomplete" : "completed";
      events.push(
        { type: "response.function_call_arguments.done", ...about, name, arguments: whole },
        done({ ...item, arguments: whole, status }),
      );
    }
    return events;
  }

  return {
    push: ({ text, thinking, call }) => [
      ...(thinking === "" ? [] : write(thought, thinking)),
      ...(text === "" ? [] : write(message, text)),
      ...(call === undefined ? [] : writeCall(call)),
    ],
    end(status): OutputEvent[] {
      // An answer without any text is an empty message.
      const empty = items.length === 0 && open === undefined ? begin(message) : [];
      return [...empty, ...close(status)];
    },
    items,
  };
}
