import type { Command } from "commander";
import type { Answerer, BatchProgress } from "../../batch/run-batch.js";
import { BitNetError } from "../../errors.js";
import { embeddedModelUrl } from "../../language-model/find-source.js";
import type { CacheType } from "../../wasm/cache-types.js";
import type { CliCommand } from "../command.js";
import { createCountBar } from "../count-bar.js";
import { parseCount, parseQueueName } from "../flag-values.js";
import { addFlags, expertFlags, loadFlags } from "../library-flags.js";
import { localModel } from "../local-model.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";

interface BatchFlags extends Readonly<Record<string, unknown>> {
  readonly output: string;
  readonly parallel?: number;
  readonly cacheType?: CacheType;
  readonly redis?: string;
  readonly queue?: string;
}

const help = `
The input has OpenAI's batch form, one request per line: { custom_id, method: "POST", url, body }. A url is a POST route
of bitnet serve, such as /v1/chat/completions or /v1/embeddings. The output has a line per request, in the order in
which they end: { id, custom_id, response: { status_code, request_id, body }, error }. Invalid lines get an error.

Run the same command again to continue a stopped or killed batch. A request without a seed gets one from its
custom_id, so another run gives the same texts. With --redis, "bitnet worker" answers the requests on any number of
machines. Exit status: 0 if every request succeeded, 1 if some have errors.

Examples:
  bitnet batch in.jsonl -o out.jsonl
  bitnet batch in.jsonl -o out.jsonl model.gguf --parallel 8 -c 2048
  bitnet batch in.jsonl -o out.jsonl model.gguf --redis redis://localhost:6379`;

export const batch: CliCommand = {
  name: "batch",
  summary: "Answer a file of requests",
  define(command: Command, terminal: Terminal): void {
    command
      .usage("<input> -o <output> [model] [options]")
      .argument("<input>", "requests, as JSON Lines")
      .argument(
        "[model]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .requiredOption("-o, --output <path>", "file of the results")
      .option("--parallel <count>", "texts that are written at the same time (default: 4)", parseCount(1))
      .option("--redis <url>", "answer the requests by workers, over a BullMQ queue in this Redis")
      .option("--queue <name>", "first part of the queue's name (default: bitnet)", parseQueueName);
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText("after", help)
      .action((input: string, path: string | undefined, flags: BatchFlags) =>
        answerBatch(input, path, flags, terminal),
      );
  },
};

async function answerBatch(
  input: string,
  path: string | undefined,
  flags: BatchFlags,
  terminal: Terminal,
): Promise<void> {
  refuseForeignFlags(flags);
  const [{ runBatch }, { modelDigest }] = await Promise.all([
    import("../../batch/run-batch.js"),
    import("../../batch/model-digest.js"),
  ]);
  const local = await localModel(path, terminal);
  const model = await modelDigest(local ?? embeddedModelUrl, flags.cacheType);
  const onNote = (note: string): void => terminal.note(`bitnet: ${note}`);
  const bar = await createCountBar(terminal, "Answering", "requests");
  let progress: BatchProgress;
  try {
    progress = await runBatch({
      input,
      output: flags.output,
      model,
      openAnswerer: () =>
        flags.redis === undefined
          ? openModelAnswerer(local, flags, terminal, onNote)
          : openQueueAnswerer(flags.redis, flags.queue ?? "bitnet", model, onNote),
      onProgress: ({ answered, total, failed }) => bar.update(answered, total, `${failed} errors`),
      onNote,
      signal: terminal.signal,
    });
  } finally {
    bar.stop();
  }
  report(progress, flags.output, terminal);
}

/** @throws BitNetError INVALID_ARGUMENT for flags that have no effect. */
function refuseForeignFlags(flags: BatchFlags): void {
  const foreign =
    flags.redis === undefined
      ? ["queue"]
      : [
          ...["parallel", "threads", "ctx", "packing", "stream", "streamMemory"],
          ...["kernelBuild", "dotForm", "head", "sparsity"],
        ];
  const given = foreign.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const why = flags.redis === undefined ? "only --redis uses a queue" : "give it to bitnet worker";
  throw new BitNetError("INVALID_ARGUMENT", `The flag for "${given}" has no effect here: ${why}`);
}

async function openModelAnswerer(
  local: string | undefined,
  flags: BatchFlags,
  terminal: Terminal,
  onNote: (note: string) => void,
): Promise<Answerer> {
  const [{ createModelAnswerer }, { answerLocally }] = await Promise.all([
    import("../../batch/model-answerer.js"),
    import("../../batch/local.js"),
  ]);
  const { model } = await openModel(local, readLoadOptions(flags), terminal);
  const { parallel = 4 } = flags;
  const { answer, dispose } = createModelAnswerer(model, parallel, (error) =>
    onNote(error instanceof Error ? error.message : String(error)),
  );
  return {
    // Twice as many, so that a free slot never waits for its next request.
    answerAll: (questions) => answerLocally(answer, 2 * parallel, questions),
    async close(): Promise<void> {
      await dispose();
      await model.dispose();
    },
  };
}

async function openQueueAnswerer(
  url: string,
  prefix: string,
  model: string,
  onNote: (note: string) => void,
): Promise<Answerer> {
  const [{ connectRedis }, { answerByQueue }] = await Promise.all([
    import("../../batch/redis/connection.js"),
    import("../../batch/redis/answer-by-queue.js"),
  ]);
  const connection = await connectRedis(url, onNote);
  return {
    answerAll: (questions) => answerByQueue({ connection, prefix, model, onNote }, questions),
    close(): Promise<void> {
      connection.close();
      return Promise.resolve();
    },
  };
}

/** @throws BitNetError BATCH_FAILED if requests failed, for the exit status. */
function report({ total, answered, failed, earlier }: BatchProgress, path: string, terminal: Terminal): void {
  const before = earlier === 0 ? "" : `, ${earlier} of them by earlier runs`;
  terminal.note(`bitnet: answered ${answered} of ${total} requests${before}; the results are in "${path}"`);
  if (failed === 0) return;
  throw new BitNetError(
    "BATCH_FAILED",
    `${failed} of ${total} requests have errors; the fields "error" and "response" in "${path}" say why`,
    { details: { failed, total } },
  );
}
