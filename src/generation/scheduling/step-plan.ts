/** The part of a sequence that planning reads. */
export interface Unfinished {
  /** Prompt and text. */
  readonly history: readonly number[];
  /** Number of evaluated tokens; at least one token is not. */
  readonly position: number;
}

/** Number of a sequence's next tokens in a pass. */
export interface StepPart<S extends Unfinished> {
  readonly sequence: S;
  readonly tokens: number;
}

/**
 * Maximum number of prompt tokens in a pass that also decodes. More tokens make prompts faster but delay the
 * next token of every text. On two cores, a pass of the 2B4T shape with sixteen tokens takes about ten times
 * as long as with one.
 */
const promptTokensBeside = 16;

/**
 * The parts of the next pass: one token of each text in decode, then tokens of prompts in the given order,
 * while they fit.
 *
 * A prompt waits if another prompt in the pass computes at least half of its tokens: it copies their KV cache
 * later.
 *
 * @param sequences next to serve first.
 * @param batchTokens maximum number of tokens of a pass, more than the number of sequences.
 */
export function planStep<S extends Unfinished>(
  sequences: readonly S[],
  batchTokens: number,
): readonly StepPart<S>[] {
  const pending = ({ history, position }: S): number => history.length - position;
  const parts: StepPart<S>[] = sequences
    .filter((sequence) => pending(sequence) === 1)
    .map((sequence) => ({ sequence, tokens: 1 }));
  let room = parts.length === 0 ? batchTokens : Math.min(promptTokensBeside, batchTokens - parts.length);
  const prompts: StepPart<S>[] = [];
  for (const sequence of sequences) {
    if (pending(sequence) === 1) continue;
    const tokens = Math.min(room, pending(sequence));
    if (tokens <= 0) break;
    if (prompts.some((part) => 2 * computedBy(part, sequence) >= tokens)) continue;
    prompts.push({ sequence, tokens });
    room -= tokens;
  }
  return [...parts, ...prompts];
}

/** Number of a sequence's next tokens that a part of the pass computes for another sequence. */
function computedBy(part: StepPart<Unfinished>, { history, position }: Unfinished): number {
  const other = part.sequence;
  const end = other.position + part.tokens;
  if (position < other.position || position >= end) return 0;
  return Math.max(0, commonPrefix(history, other.history, Math.min(end, history.length - 1)) - position);
}

/** Length of the prefix that two sequences share, at most `max`. */
export function commonPrefix(a: readonly number[], b: readonly number[], max: number): number {
  const end = Math.min(a.length, b.length, max);
  let length = 0;
  while (length < end && a[length] === b[length]) length += 1;
  return length;
}
