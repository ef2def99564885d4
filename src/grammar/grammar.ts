import { BitNetError } from "../errors.js";
import { inSlices, type Steps } from "../text/slices.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { createAutomaton, type State } from "./automaton.js";
import type { Expression } from "./expression.js";
import { compileExpression, compileSteps, type Program } from "./program.js";
import { createRuns } from "./character-runs.js";
import { markTokens, prepareTokenTrees, tokenTrees } from "./mark-tokens.js";

/** Restricts a text, byte by byte. */
export interface Grammar {
  /** Starts a text. */
  start(tokenizer: Tokenizer): TextGuide;
  /** Does the work in slices that the first text with a tokenizer would do at once. */
  prepare(tokenizer: Tokenizer): Promise<void>;
}

/** Keeps a text to a grammar, token by token. */
export interface TextGuide {
  /** Whether a token can come next. */
  allows(tokenId: number): boolean;
  /**
   * Sets the logits of tokens that cannot come next to −Infinity.
   * @throws BitNetError MODEL_INVALID if no token of the vocabulary can come next.
   */
  restrict(logits: Float32Array): void;
  /** Whether `restrict` is fast: the allowed tokens are cached. */
  isKnown(): boolean;
  /** Continues with an allowed token. @returns whether the text is complete: nothing can follow. */
  accept(tokenId: number): boolean;
}

/** Limit of cached marks, a few KiB each. In a string of bounded length, every token leads to a new state. */
const maxMarks = 256;

/** @throws BitNetError INVALID_ARGUMENT if no text fits, or if the expression is too large. */
export function createGrammar(expression: Expression): Grammar {
  return grammarOf(compileExpression(expression));
}

/** As `createGrammar`, in slices between which other events run. The expression is made in steps. */
export async function createGrammarAsync(expression: Steps<Expression>): Promise<Grammar> {
  return grammarOf(await inSlices(programSteps(expression)));
}

function* programSteps(expression: Steps<Expression>): Steps<Program | undefined> {
  return yield* compileSteps(yield* expression);
}

function grammarOf(program: Program | undefined): Grammar {
  if (program === undefined) {
    throw new BitNetError("INVALID_ARGUMENT", "Cannot keep to the grammar or schema: no text fits it");
  }
  const automaton = createAutomaton(program);
  const runOf = createRuns(automaton);
  /** The tokens that may follow a state, by tokenizer. Texts reach the same states again and again. */
  const marks = new WeakMap<Tokenizer, Map<State, Int32Array>>();

  function marksAfter(state: State, tokenizer: Tokenizer): Int32Array {
    const known = marks.get(tokenizer) ?? new Map<State, Int32Array>();
    marks.set(tokenizer, known);
    let bits = known.get(state);
    if (bits === undefined) {
      bits = new Int32Array((tokenizer.vocabSize + 31) >> 5);
      const count = markTokens(tokenTrees(tokenizer), automaton, runOf, state, bits);
      if (count === 0 && !state.accepting) {
        throw new BitNetError(
          "MODEL_INVALID",
          "Cannot keep to the grammar or schema: the model's vocabulary has no token for what must come next",
        );
      }
      if (state.accepting) for (const id of tokenizer.endOfGenerationIds) setBit(bits, id);
      const oldest = known.size >= maxMarks ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
      known.set(state, bits);
    }
    return bits;
  }

  return {
    prepare: prepareTokenTrees,
    start(tokenizer): TextGuide {
      let state = automaton.start;
      return {
        isKnown: () => marks.get(tokenizer)?.has(state) === true,
        allows(tokenId): boolean {
          if (tokenizer.endOfGenerationIds.has(tokenId)) return state.accepting;
          const bytes = tokenizer.tokenBytes(tokenId);
          let at: State | undefined = state;
          for (const byte of bytes) if (at !== undefined) at = automaton.next(at, byte);
          return bytes.length > 0 && at !== undefined;
        },
        restrict(logits): void {
          forbid(logits, marksAfter(state, tokenizer));
        },
        accept(tokenId): boolean {
          for (const byte of tokenizer.tokenBytes(tokenId)) {
            // Only tokens that `restrict` allowed may be accepted.
            const next = automaton.next(state, byte);
            if (next === undefined) throw new RangeError(`token ${tokenId} does not fit`);
            state = next;
          }
          return !state.open;
        },
      };
    },
  };
}

function setBit(bits: Int32Array, id: number): void {
  bits[id >> 5] = (bits[id >> 5] ?? 0) | (1 << (id & 31));
}

/** Sets the logits without a bit to −Infinity. Most bits of 32 tokens are equal. */
function forbid(logits: Float32Array, bits: Int32Array): void {
  /** The first of the tokens before the current one that have no bit. */
  let begin = -1;
  for (let at = 0; at < bits.length; at += 1) {
    const word = bits[at] ?? 0;
    const base = at << 5;
    if (word === 0) {
      if (begin < 0) begin = base;
      continue;
    }
    if (begin >= 0) logits.fill(-Infinity, begin, base);
    begin = -1;
    if (word === -1) continue;
    const end = Math.min(base + 32, logits.length);
    for (let id = base; id < end; id += 1) if (((word >>> (id & 31)) & 1) === 0) logits[id] = -Infinity;
  }
  logits.fill(-Infinity, begin < 0 ? bits.length << 5 : begin);
}
