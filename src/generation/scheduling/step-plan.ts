/** What planning looks at in a sequence. */
export interface Unfinished {
  /** Prompt and text. */
  readonly history: readonly number[];
  /** Tokens of them that are evaluated; at least one is not. */
  readonly position: number;
}

/** How many of its next tokens a sequence has evaluated in a pass. */
export interface StepPart<S extends Unfinished> {
  readonly sequence: S;
  readonly tokens: number;
}

/**
 * Tokens of prompts that go along with texts being written. More make prompts quicker, and every text waits longer for its
 * next token: a pass of the 2B4T shape takes about ten times as long with sixteen tokens as with one, on two cores.
 */
const promptTokensBeside = 16;

/**
 * What the next pass takes of each sequence: every text its next token, and prompts what room there is, in the order given.
 *
 * A prompt that begins like another in the same pass waits for it if that is worth it, to copy what it would else compute.
 *
 * @param sequences whose turn it is first comes first.
 * @param batchTokens most tokens of a pass, more than there are sequences.
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

/** How many of a sequence's next tokens a part of the pass computes, too. */
function computedBy(part: StepPart<Unfinished>, { history, position }: Unfinished): number {
  const other = part.sequence;
  const end = other.position + part.tokens;
  if (position < other.position || position >= end) return 0;
  return Math.max(0, commonPrefix(history, other.history, Math.min(end, history.length - 1)) - position);
}

/** How many tokens two sequences have in common at their beginnings, at most `most`. */
export function commonPrefix(a: readonly number[], b: readonly number[], most: number): number {
  const end = Math.min(a.length, b.length, most);
  let length = 0;
  while (length < end && a[length] === b[length]) length += 1;
  return length;
}
