import type { Grammar, TextGuide } from "../grammar/grammar.js";
import type { ThoughtPhase, Thoughts } from "../text/thought-reader.js";
import type { Tokenizer } from "../text/tokenizer.js";

/** Keeps the answer after a thought to a grammar. */
export interface AnswerGuide extends Omit<TextGuide, "accept"> {
  /**
   * Continues with an allowed token. @returns whether the text is complete: nothing can follow.
   * @param phase where the text is with this token.
   */
  accept(tokenId: number, phase: ThoughtPhase): boolean;
}

/**
 * A guide for models that think. Before a thought, both the grammar and the tag that begins a thought are
 * allowed. A thought is free text, but it has to end: only the answer after it can end the text.
 */
export function createAnswerGuide(
  grammar: Grammar,
  tokenizer: Tokenizer,
  { tags, begin }: Thoughts,
): AnswerGuide {
  const { endOfGenerationIds } = tokenizer;
  const opening = tokenizer.encode(tags.begin, { addSpecial: false, parseSpecial: true });
  // SentencePiece tokenizers put a space before a text.
  while (opening.length > 1 && tokenizer.decode(opening.slice(0, 1)) === " ") opening.shift();
  let phase = begin;
  let guide = grammar.start(tokenizer);
  /** Whether the text so far fits the grammar. */
  let fits = true;
  /** Tokens of the opening tag so far; undefined once the text cannot be the tag. */
  let opened: number | undefined = 0;
  /** The end of the thought, where a tag may have begun. */
  let tail = "";

  const nextOfTag = (): number | undefined => (opened === undefined ? undefined : opening[opened]);

  /** A token that ends the thought and goes on would bypass the grammar. */
  function endsWithText(tokenId: number): boolean {
    const text = tail + spelling(tokenId);
    const end = text.indexOf(tags.end);
    return end !== -1 && text.slice(end + tags.end.length).trim() !== "";
  }

  function spelling(tokenId: number): string {
    return new TextDecoder().decode(tokenizer.tokenBytes(tokenId, { skipSpecial: false }));
  }

  return {
    isKnown: () => (phase === "thinking" || !fits ? true : guide.isKnown()),
    allows(tokenId): boolean {
      if (phase === "thinking") return !endOfGenerationIds.has(tokenId) && !endsWithText(tokenId);
      if (phase === "before" && nextOfTag() === tokenId) return true;
      return fits && guide.allows(tokenId);
    },
    restrict(logits): void {
      if (phase === "thinking") {
        for (const id of endOfGenerationIds) logits[id] = -Infinity;
        if (!beginsTag(tail, tags.end)) return;
        for (const id of continuingTokens(tokenizer, tags.end)) if (endsWithText(id)) logits[id] = -Infinity;
        return;
      }
      const tagId = phase === "before" ? nextOfTag() : undefined;
      const tagLogit = tagId === undefined ? 0 : (logits[tagId] ?? 0);
      if (fits) guide.restrict(logits);
      else logits.fill(-Infinity);
      if (tagId !== undefined) logits[tagId] = tagLogit;
    },
    accept(tokenId, next): boolean {
      if (phase === "thinking") {
        tail = (tail + spelling(tokenId)).slice(1 - tags.end.length);
        phase = next;
        return false;
      }
      const isTag = phase === "before" && nextOfTag() === tokenId;
      fits &&= guide.allows(tokenId);
      const isComplete = fits && guide.accept(tokenId);
      opened = isTag ? (opened ?? 0) + 1 : undefined;
      phase = next;
      if (phase === "thinking") [guide, fits] = [grammar.start(tokenizer), true];
      return isComplete;
    },
  };
}

/** Tokens that may end a tag and go on, by tokenizer: the tag's last character is not their last. */
const known = new WeakMap<Tokenizer, readonly number[]>();

function continuingTokens(tokenizer: Tokenizer, tag: string): readonly number[] {
  let found = known.get(tokenizer);
  if (found === undefined) {
    const last = tag.charCodeAt(tag.length - 1);
    found = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) => {
      const bytes = tokenizer.tokenBytes(id, { skipSpecial: false });
      const at = bytes.indexOf(last);
      return at !== -1 && at < bytes.length - 1;
    });
    known.set(tokenizer, found);
  }
  return found;
}

/** Whether the end of a text begins a tag. */
function beginsTag(text: string, tag: string): boolean {
  for (let size = 1; size < tag.length; size += 1) if (text.endsWith(tag.slice(0, size))) return true;
  return false;
}
