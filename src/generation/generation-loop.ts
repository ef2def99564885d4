import { throwIfAborted } from "../errors.js";
import type { LogitRows } from "../engine/evaluator.js";
import type { InnerSession } from "../engine/session.js";
import type { PassCosts } from "./speculation/pass-costs.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";
import { createSpeculator, type Speculator } from "./speculation/speculator.js";
import type { TextWriter, Written } from "./text-writer.js";

/** The loop of generation: evaluates tokens in a session and writes the next one from their logits. */
export interface GenerationLoop {
  /**
   * Writes the next token.
   * @throws the errors of `session.evaluate`; then nothing is written.
   */
  next(): Promise<Written>;
  /** Calls `onSpeculation` if anything was drafted. */
  report(): void;
}

/**
 * A draft is evaluated in one pass with the token before it. The writer uses its rows of logits one by one,
 * each only if it wrote all drafted tokens before that row. So logits, history and session position are the
 * same as without drafts.
 */
export function createGenerationLoop(
  session: InnerSession,
  writer: TextWriter,
  options: ResolvedGenerateOptions,
  costs: PassCosts,
): GenerationLoop {
  const { signal } = options;
  const { history } = writer;
  const speculator = wantedSpeculator(options, costs);
  let prompt: readonly number[] | undefined = [...history];
  const last: [number] = [0];
  let rows: LogitRows | undefined;
  let draft: readonly number[] = [];
  /** Accepted tokens of the draft. */
  let kept = 0;
  let draftedTokens = 0;
  let acceptedTokens = 0;

  /** Evaluates the last token, or at first the prompt, and a draft. */
  async function evaluate(): Promise<LogitRows> {
    if (prompt !== undefined) {
      const first = await session.evaluateDraft(prompt, [], writer.needs([]), signal);
      prompt = undefined;
      return first;
    }
    last[0] = history.at(-1) ?? 0;
    const room = session.contextLength - session.position - 1;
    const maxTokens = Math.min(room, writer.remaining - 1, session.maxDraftTokens);
    draft = speculator?.draft(history, maxTokens) ?? [];
    kept = 0;
    draftedTokens += draft.length;
    return session.evaluateDraft(last, draft, writer.needs(draft), signal);
  }

  return {
    async next(): Promise<Written> {
      const startedMs = performance.now();
      let measured = false;
      if (rows !== undefined && kept < draft.length && draft[kept] === history.at(-1)) {
        throwIfAborted(signal);
        session.keep();
        kept += 1;
      } else {
        measured = speculator !== undefined && prompt === undefined;
        rows = await evaluate();
      }
      const logits = await rows.at(kept);
      const written = writer.write(logits, { isFull: session.position === session.contextLength });
      const { tokenId } = written;
      if (draft[kept] === tokenId) acceptedTokens += 1;
      speculator?.learn(history, tokenId);
      if (measured) costs.record(1 + draft.length, performance.now() - startedMs);
      return written;
    },
    report(): void {
      if (draftedTokens > 0) options.onSpeculation?.({ draftedTokens, acceptedTokens });
    },
  };
}

function wantedSpeculator(options: ResolvedGenerateOptions, costs: PassCosts): Speculator | undefined {
  // Drafts ignore the grammar, and each of their rows would need every logit.
  if (options.grammar !== undefined) return undefined;
  switch (options.speculation) {
    case "off":
      return undefined;
    case "prompt-lookup":
      return createSpeculator("always", costs);
    case "auto":
      // Sampling rejects most drafts, and log-probabilities need every logit of every row.
      return options.temperature === 0 && !options.logprobs ? createSpeculator("auto", costs) : undefined;
  }
}
