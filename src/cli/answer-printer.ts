import type { GeneratedPiece } from "../generation/generated-piece.js";
import { thinkTags } from "../text/thought-reader.js";

/** Prints an answer, with its thought set off. */
export interface AnswerPrinter {
  print(piece: GeneratedPiece): void;
  /** Ends the answer, with a line break. */
  end(): void;
}

/** The look of thoughts: dimmed, for a terminal, or between tags. */
export interface ThoughtStyle {
  readonly dims: boolean;
}

export function createAnswerPrinter(write: (text: string) => void, { dims }: ThoughtStyle): AnswerPrinter {
  const [begin, end] = dims ? ["\x1b[2m", "\x1b[22m"] : [`${thinkTags.begin}\n`, `\n${thinkTags.end}`];
  let isThought = false;
  return {
    print({ text, thinking = false }): void {
      if (text === "") return;
      if (thinking && !isThought) write(begin);
      if (!thinking && isThought) write(`${end}\n\n`);
      isThought = thinking;
      write(text);
    },
    end(): void {
      write(isThought ? `${end}\n` : "\n");
    },
  };
}
