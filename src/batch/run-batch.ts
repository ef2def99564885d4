import { BitNetError, throwIfAborted } from "../errors.js";
import { fileIdentity } from "../platform/node-folder.js";
import { openFileSource } from "../platform/node-file-source.js";
import { holdLock } from "../platform/node-hold-lock.js";
import { type BatchInput, openInput } from "./input.js";
import { type BatchOutput, openOutput } from "./output.js";
import { type BatchRequest, isInvalid, quote } from "./request.js";
import { answerLine, type BatchAnswer, invalidLine, isSuccess } from "./result.js";

/** Requests to answer, and where the answers go. */
export interface Questions {
  readonly requests: AsyncGenerator<BatchRequest, void, void>;
  /** Writes an answer. When it resolves, the answer is in the output. */
  readonly write: (request: BatchRequest, answer: BatchAnswer) => Promise<void>;
  /** Whether the output has the answer to a request, by its id. */
  readonly isAnswered: (id: string) => boolean;
  readonly signal: AbortSignal;
}

/** Answers requests: a model in this process, or workers behind a queue. */
export interface Answerer {
  /** It resolves after the last write. */
  answerAll(questions: Questions): Promise<void>;
  close(): Promise<void>;
}

/** The state of a batch. */
export interface BatchProgress {
  /** Number of lines that are not blank. */
  readonly total: number;
  readonly answered: number;
  /** Answered lines without success. */
  readonly failed: number;
  /** Lines that were answered by earlier runs. */
  readonly earlier: number;
}

export interface BatchOptions {
  readonly input: string;
  readonly output: string;
  /** Digest of the model. */
  readonly model: string;
  /** Called if a request needs an answer. */
  readonly openAnswerer: () => Promise<Answerer>;
  readonly onProgress: (progress: BatchProgress) => void;
  /** Receives sentences for a person. */
  readonly onNote: (note: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Answers the lines of an input that the output does not answer yet. It can be killed at any moment: the next
 * run goes on.
 *
 * @throws BitNetError FILE_NOT_FOUND, FILE_READ, FILE_WRITE, BATCH_FAILED; INVALID_ARGUMENT if the output
 *   belongs to another batch. Rejects with `signal.reason`.
 */
export async function runBatch(options: BatchOptions): Promise<BatchProgress> {
  const { input: path, output: outputPath, model, onNote, signal } = options;
  const source = await openFileSource(path);
  try {
    await requireDistinct(path, outputPath);
    const lock = await holdLock(outputPath, {
      signal,
      onWait: () => onNote(`Waiting for the lock of "${outputPath}"`),
    });
    try {
      const output = await openOutput(outputPath);
      try {
        const input = await openInput(source, model);
        const stray = input.strayResults(output.results);
        if (stray.length > 0) onNote(describeStray(stray.length, stray[0]?.customId ?? null, outputPath));
        return await answerLines(input, output, options);
      } finally {
        await output.close();
      }
    } finally {
      await lock.release();
    }
  } finally {
    await source.close();
  }
}

async function answerLines(
  input: BatchInput,
  output: BatchOutput,
  { openAnswerer, onProgress, signal }: BatchOptions,
): Promise<BatchProgress> {
  const answered = new Set<string>();
  let failed = 0;
  let earlier = 0;
  const progress = (): BatchProgress => ({ total: input.total, answered: answered.size, failed, earlier });
  const count = (id: string, outcome: { readonly isSuccess: boolean }): void => {
    answered.add(id);
    if (!outcome.isSuccess) failed += 1;
  };

  // Invalid lines need no model, so they are answered first.
  for await (const line of input.lines()) {
    throwIfAborted(signal);
    const result = output.results.get(line.id);
    if (result !== undefined) {
      earlier += 1;
      count(line.id, result);
    } else if (isInvalid(line)) {
      await output.append(invalidLine(line));
      count(line.id, { isSuccess: false });
    }
  }
  if (answered.size === input.total) return progress();

  async function* requests(): AsyncGenerator<BatchRequest, void, void> {
    for await (const line of input.lines()) {
      throwIfAborted(signal);
      if (!isInvalid(line) && !answered.has(line.id)) yield line;
    }
  }
  const answerer = await openAnswerer();
  try {
    onProgress(progress());
    await answerer.answerAll({
      requests: requests(),
      isAnswered: (id) => answered.has(id),
      signal,
      async write(request, answer) {
        await output.append(answerLine(request, answer));
        count(request.id, { isSuccess: isSuccess(answer) });
        onProgress(progress());
      },
    });
  } finally {
    await answerer.close();
  }
  return progress();
}

/** @throws BitNetError INVALID_ARGUMENT if both names are one file. */
async function requireDistinct(input: string, output: string): Promise<void> {
  if ((await fileIdentity(input)) !== (await fileIdentity(output))) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot write results to "${output}": it is the input; choose another output file`,
  );
}

function describeStray(count: number, first: string | null, path: string): string {
  const results = count === 1 ? "1 result" : `${count} results`;
  return `"${path}" keeps ${results} to lines that the input no longer has; the first is custom_id ${quote(first)}`;
}
