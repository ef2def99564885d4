import type { Tokenizer } from "./tokenizer.js";

/** The tags around a model's thoughts. */
export interface ThoughtTags {
  readonly begin: string;
  readonly end: string;
}

/** The tags of Qwen 3, DeepSeek-R1, QwQ, SmolLM3 and MiniCPM4. */
export const thinkTags: ThoughtTags = { begin: "<think>", end: "</think>" };

/**
 * Where an answer is. "before": a thought may begin. "thinking": inside the thought. "after": the answer
 * itself. A thought stands before everything else, so there is one at most.
 */
export type ThoughtPhase = "before" | "thinking" | "after";

/** How the thoughts of one answer are found. */
export interface Thoughts {
  readonly tags: ThoughtTags;
  /** Where the prompt leaves off. */
  readonly begin: ThoughtPhase;
  /** Whether the text goes on with a thought, so that white space at its beginning counts. Default: false. */
  readonly continues?: boolean | undefined;
}

/** A part of an answer. Tags and the white space beside them are in neither text. */
export interface AnswerPart {
  /** Text of the thought, which stands before the answer. */
  readonly thought: string;
  readonly answer: string;
}

/** Separates a model's thoughts from its answer while both are written. */
export interface ThoughtReader {
  readonly phase: ThoughtPhase;
  /** Whether the last text belongs to the thought, its tags, or the white space beside them. */
  readonly inThought: boolean;
  /** @returns the text that is certain by now. */
  push(text: string): AnswerPart;
  /** @returns the rest, once nothing more can come. */
  flush(): AnswerPart;
}

export function createThoughtReader({ tags, begin, continues = false }: Thoughts): ThoughtReader {
  let phase = begin;
  let held = "";
  /** Whether white space is still dropped: right after a tag. */
  let isAtStart = begin === "thinking" && !continues;

  function take({ isLast }: { readonly isLast: boolean }): AnswerPart {
    let thought = "";
    if (phase === "before") {
      const begun = held.trimStart();
      if (begun.startsWith(tags.begin)) {
        held = begun.slice(tags.begin.length);
        [phase, isAtStart] = ["thinking", true];
      } else if (isLast || !tags.begin.startsWith(begun)) {
        // A tag later on is part of the answer.
        phase = "after";
      }
    }
    if (phase === "thinking") {
      const end = held.indexOf(tags.end);
      if (end === -1) {
        thought = release(isLast ? held.length : certainLength(held, tags.end));
        if (isLast) thought = thought.trimEnd();
      } else {
        thought = release(end).trimEnd();
        held = held.slice(tags.end.length);
        [phase, isAtStart] = ["after", true];
      }
    }
    return { thought, answer: phase === "after" ? release(held.length) : "" };
  }

  /** The next characters, without white space after a tag. */
  function release(length: number): string {
    const text = held.slice(0, length);
    held = held.slice(length);
    const shown = isAtStart ? text.trimStart() : text;
    if (shown !== "") isAtStart = false;
    return shown;
  }

  return {
    get phase() {
      return phase;
    },
    get inThought() {
      return phase === "thinking" || (phase === "after" && isAtStart);
    },
    push(text): AnswerPart {
      held += text;
      return take({ isLast: false });
    },
    flush: () => take({ isLast: true }),
  };
}

/** How much of a text is followed neither by white space alone nor by the beginning of the tag. */
function certainLength(text: string, tag: string): number {
  let length = text.length;
  for (let size = Math.min(tag.length - 1, length); size > 0; size -= 1) {
    if (text.endsWith(tag.slice(0, size))) {
      length -= size;
      break;
    }
  }
  return text.slice(0, length).trimEnd().length;
}

/**
 * Where a prompt leaves off: after a tag that its template has written last, or before any thought. Templates
 * switch thoughts off with an empty one.
 */
export function phaseAfter(tokenizer: Tokenizer, ids: readonly number[], tags: ThoughtTags): ThoughtPhase {
  const tail = tokenizer.decode(ids.slice(-16), { skipSpecial: false }).trimEnd();
  return tail.endsWith(tags.begin) ? "thinking" : tail.endsWith(tags.end) ? "after" : "before";
}
