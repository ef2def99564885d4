import type { Command } from "commander";
import { embeddedModelUrl } from "../../language-model/find-source.js";
import type { CacheType } from "../../wasm/cache-types.js";
import type { CliCommand } from "../command.js";
import { parseCount, parseQueueName } from "../flag-values.js";
import { addFlags, expertFlags, loadFlags } from "../library-flags.js";
import { localModel } from "../local-model.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";

/** Time for the process to end by itself. */
const endMs = 500;

interface WorkerFlags extends Readonly<Record<string, unknown>> {
  readonly cacheType?: CacheType;
  readonly redis: string;
  readonly queue: string;
  readonly parallel: number;
  readonly stallTimeout: number;
}

const help = `
Takes requests of "bitnet batch --redis" from Redis and answers them, until Ctrl-C. Start as many workers as you like,
on any machine that reaches Redis. Each model has a queue of its own, so a worker gets only requests to its model. Ctrl-C
waits up to ten seconds for running requests; unfinished ones go back to the queue. If a worker dies or is cut off, the
others answer its requests after --stall-timeout.

Examples:
  bitnet worker --redis redis://localhost:6379
  bitnet worker --redis rediss://user:password@queue.example:6380 model.gguf --parallel 8 -c 2048`;

export const worker: CliCommand = {
  name: "worker",
  summary: "Answer requests of batches from a queue",
  define(command: Command, terminal: Terminal): void {
    command
      .usage("--redis <url> [model] [options]")
      .argument(
        "[model]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .requiredOption("--redis <url>", "the Redis of the batch")
      .option("--queue <name>", "first part of the queue's name", parseQueueName, "bitnet")
      .option("--parallel <count>", "texts that are written at the same time", parseCount(1), 4)
      .option(
        "--stall-timeout <seconds>",
        "other workers take over the requests of a worker that is silent for this long",
        parseCount(1),
        30,
      );
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText("after", help)
      .action((path: string | undefined, flags: WorkerFlags) => serveQueue(path, flags, terminal));
  },
};

async function serveQueue(path: string | undefined, flags: WorkerFlags, terminal: Terminal): Promise<void> {
  const { redis, queue, parallel, stallTimeout } = flags;
  const [{ connectRedis }, { runWorker }, { createModelAnswerer }, { modelDigest }] = await Promise.all([
    import("../../batch/redis/connection.js"),
    import("../../batch/redis/run-worker.js"),
    import("../../batch/model-answerer.js"),
    import("../../batch/model-digest.js"),
  ]);
  const onNote = (note: string): void => terminal.note(`bitnet: ${note}`);
  // Before the model, which can take long to load.
  const connection = await connectRedis(redis, onNote);
  try {
    const local = await localModel(path, terminal);
    const digest = await modelDigest(local ?? embeddedModelUrl, flags.cacheType);
    const { model } = await openModel(local, readLoadOptions(flags), terminal);
    const answerer = createModelAnswerer(model, parallel, (error) =>
      onNote(error instanceof Error ? error.message : String(error)),
    );
    try {
      const count = await runWorker({
        connection,
        prefix: queue,
        model: digest,
        answer: answerer.answer,
        // One more, so that a free slot has its next request at once, and few wait here instead of elsewhere.
        concurrency: parallel + 1,
        stallMs: stallTimeout * 1000,
        modelFailure: answerer.failure,
        onReady: (name) => terminal.write(`Working on the queue ${name} at ${connection.address}\n`),
        onNote,
        signal: terminal.signal,
      });
      onNote(`answered ${count} requests`);
    } finally {
      await answerer.dispose();
      await model.dispose();
    }
  } finally {
    connection.close();
  }
  // Without Redis, BullMQ's timers would keep the process for three seconds more. The output is written by
  // then.
  setTimeout(() => process.exit(), endMs).unref();
  // Ctrl-C is the normal end of a worker.
  terminal.succeed();
}
