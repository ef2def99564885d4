import { argumentsOf, type CallPart, type ChoiceContent } from "../requests/choice.js";

/** An event of a stream. */
export type ContentEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** The blocks of an answer, as its content comes in. */
export interface Content {
  /** Adds content. @returns the events about it. */
  readonly push: (content: ChoiceContent) => ContentEvent[];
  end(): ContentEvent[];
  /** The blocks that have ended. */
  readonly blocks: readonly object[];
}

/** A kind of block that is one text. */
interface TextKind {
  readonly block: (text: string) => object;
  readonly delta: (text: string) => object;
  /** Comes after the text. */
  readonly last?: object;
}

const text: TextKind = {
  block: (given) => ({ type: "text", text: given }),
  delta: (given) => ({ type: "text_delta", text: given }),
};
/** Thoughts have no signature: nothing here checks that a client returns them unchanged. */
const thinking: TextKind = {
  block: (given) => ({ type: "thinking", thinking: given, signature: "" }),
  delta: (given) => ({ type: "thinking_delta", thinking: given }),
  last: { type: "signature_delta", signature: "" },
};

export function createContent(): Content {
  const blocks: object[] = [];
  let open: { readonly kind: TextKind; text: string } | undefined;

  const start = (block: object): ContentEvent => ({
    type: "content_block_start",
    index: blocks.length,
    content_block: block,
  });
  const change = (delta: object): ContentEvent => ({
    type: "content_block_delta",
    index: blocks.length,
    delta,
  });
  function stop(block: object): ContentEvent {
    blocks.push(block);
    return { type: "content_block_stop", index: blocks.length - 1 };
  }

  function write(kind: TextKind, delta: string): ContentEvent[] {
    if (delta === "") return [];
    const events = open?.kind === kind ? [] : [...close(), start(kind.block(""))];
    open = { kind, text: (open?.text ?? "") + delta };
    return [...events, change(kind.delta(delta))];
  }
  function close(): ContentEvent[] {
    if (open === undefined) return [];
    const { kind, text: whole } = open;
    open = undefined;
    return [...(kind.last === undefined ? [] : [change(kind.last)]), stop(kind.block(whole))];
  }
  /** A part of a call. Nothing else comes between its parts. */
  function writeCall({ id, name, begins, text: json, whole }: CallPart): ContentEvent[] {
    const block = { type: "tool_use", id, name };
    return [
      ...(begins ? [...close(), start({ ...block, input: {} })] : []),
      ...(json === "" ? [] : [change({ type: "input_json_delta", partial_json: json })]),
      ...(whole === undefined ? [] : [stop({ ...block, input: inputOf(whole) })]),
    ];
  }

  return {
    push: (given) => [
      ...write(thinking, given.thinking),
      ...write(text, given.text),
      ...(given.call === undefined ? [] : writeCall(given.call)),
    ],
    end: close,
    blocks,
  };
}

/** Input is an object. Text that is no object, or is cut, stands in it under Anthropic's key for that. */
function inputOf(whole: string): object {
  return argumentsOf(whole) ?? { INVALID_JSON: whole };
}
