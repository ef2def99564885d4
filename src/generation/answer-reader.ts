import { createTextStream } from "../text/text-stream.js";
import { type AnswerPart, createThoughtReader, type ThoughtPhase } from "../text/thought-reader.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";
import { createStopMatcher } from "./stop-rules.js";

/**
 * Turns tokens into text: detokenizes, separates the thought from the answer, and ends the answer at stop
 * strings. A thought may contain them.
 */
export interface AnswerReader {
  /** "after" if thoughts are not separated. */
  readonly phase: ThoughtPhase;
  /** Whether the last token belongs to the thought, its tags, or the white space beside them. */
  readonly inThought: boolean;
  /** @returns the text that is certain now, and whether a stop string was found. */
  push(tokenId: number): AnswerPart & { readonly stopped: boolean };
  /** Ends the text. @returns the text that was held back. */
  flush(): AnswerPart;
  /** As `flush`, without the incomplete character of an aborted text. */
  abort(): AnswerPart;
}

export function createAnswerReader(
  tokenizer: Tokenizer,
  { showSpecial, shownTokens, stop, thoughts }: ResolvedGenerateOptions,
): AnswerReader {
  const tags = thoughts === undefined ? [] : [thoughts.tags.begin, thoughts.tags.end];
  const shown = new Set(
    [...shownTokens, ...tags].flatMap(tokenizer.cutControls).filter((piece) => typeof piece === "number"),
  );
  const stream = createTextStream(tokenizer, { continuesText: true, skipSpecial: !showSpecial, shown });
  const stops = createStopMatcher(stop, tokenizer.cutControls);
  const reader = thoughts === undefined ? undefined : createThoughtReader(thoughts);

  function read(text: string): AnswerPart {
    return reader?.push(text) ?? { thought: "", answer: text };
  }

  function end(text: string): AnswerPart {
    const first = read(text);
    const last = reader?.flush() ?? { thought: "", answer: "" };
    const answer = stops.push(first.answer + last.answer).text + stops.flush();
    return { thought: first.thought + last.thought, answer };
  }

  return {
    get phase() {
      return reader?.phase ?? "after";
    },
    get inThought() {
      return reader?.inThought === true;
    },
    push(tokenId): AnswerPart & { readonly stopped: boolean } {
      const { thought, answer } = read(stream.push(tokenId));
      // A shown token is text for the reader, and a token for stop strings that spell it.
      const isHidden = !showSpecial && tokenizer.isControl(tokenId) && reader?.inThought !== true;
      const before = isHidden ? stops.pushControl(tokenId).text : "";
      const { text, stopped } = stops.push(answer);
      return { thought, answer: before + text, stopped };
    },
    flush: () => end(stream.flush()),
    abort: () => end(""),
  };
}
