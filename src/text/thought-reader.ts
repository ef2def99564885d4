import type { Tokenizer } from "./tokenizer.js";

/** The tags around a model's thoughts. */
export interface ThoughtTags {
  readonly begin: string;
  readonly end: string;
}

/** The tags of Qwen 3, DeepSeek-R1, QwQ, SmolLM3 and MiniCPM4. */
export const thinkTags: ThoughtTags = { begin: "<think>", end: "</think>" };

/** A part of an answer. Tags and the white space beside them are in no part. */
export interface AnswerPart {
  readonly text: string;
  readonly thinking: boolean;
}

/** Tells a model's thoughts from its answer while both are written. */
export interface ThoughtReader {
  /** @returns the text that is certain by now. Text after a tag comes with the next call. */
  push(text: string): AnswerPart;
  /** @returns the rest, once nothing more can come: of a thought, of an answer, or of both. */
  flush(): readonly AnswerPart[];
}

/** @param startsInside Whether the prompt has opened a thought already, as QwQ's template does. */
export function createThoughtReader(tags: ThoughtTags, startsInside: boolean): ThoughtReader {
  let state: "before" | "thinking" | "after" = startsInside ? "thinking" : "before";
  let held = "";
  /** Whether white space is still dropped: right after a tag. */
  let isAtStart = startsInside;

  function take(options: { readonly isLast: boolean }): AnswerPart {
    const { isLast } = options;
    const thinking = state === "thinking";
    if (state === "after") return { text: release(held.length), thinking };
    if (state === "before") {
      // A thought stands before everything else. A tag later on is part of the answer.
      const begun = held.trimStart();
      if (begun.startsWith(tags.begin)) {
        held = begun.slice(tags.begin.length);
        [state, isAtStart] = ["thinking", true];
        return take(options);
      }
      if (!isLast && tags.begin.startsWith(begun)) return { text: "", thinking };
      state = "after";
      return { text: release(held.length), thinking };
    }
    const end = held.indexOf(tags.end);
    if (end !== -1) {
      const text = release(end).trimEnd();
      held = held.slice(tags.end.length);
      [state, isAtStart] = ["after", true];
      return { text, thinking };
    }
    const certain = isLast ? held.length : certainLength(held, tags.end);
    const text = release(certain);
    return { text: isLast ? text.trimEnd() : text, thinking };
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
    push(text): AnswerPart {
      held += text;
      return take({ isLast: false });
    },
    flush(): readonly AnswerPart[] {
      const parts = [take({ isLast: true })];
      if (held !== "") parts.push(take({ isLast: true }));
      return parts.filter(({ text }) => text !== "");
    },
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

/** Whether a prompt ends inside a thought that its template has opened. */
export function opensThought(tokenizer: Tokenizer, ids: readonly number[], tags: ThoughtTags): boolean {
  const tail = tokenizer.decode(ids.slice(-16), { skipSpecial: false });
  return tail.trimEnd().endsWith(tags.begin);
}
