import type { Command } from "commander";
import type { ServerOptions } from "../../server/create-server.js";
import type { CliCommand } from "../command.js";
import type { RequestRecord } from "../../server/request-log.js";
import { collect, parseCount } from "../flag-values.js";
import { addFlags, expertFlags, loadFlags } from "../library-flags.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";

interface ServeFlags extends Readonly<Record<string, unknown>> {
  readonly host: string;
  readonly port: number;
  readonly parallel: number;
  readonly queue: number;
  readonly apiKey?: string;
  readonly cors?: readonly string[];
  readonly timeout: number;
  readonly log: boolean;
  readonly logPrompts?: boolean;
}

/** How long texts that are being written may take to end after Ctrl-C. */
const stopGraceMs = 10_000;
/** How much longer than a request may take a connection may be silent. */
const idleSeconds = 60;

const help = `
Speaks the protocols of OpenAI (/v1/...) and Ollama (/api/...); a chat page is at /, figures are at /metrics. The key can
also come from BITNET_API_KEY, where lists of processes do not show it. Ctrl-C lets texts that are being written end, for ten
seconds at most; a second Ctrl-C ends at once.

Examples:
  bitnet serve
  bitnet serve model.gguf --port 11434 --parallel 8
  bitnet serve hf:owner/repo --host 0.0.0.0 --api-key secret`;

export const serve: CliCommand = {
  name: "serve",
  summary: "Serve a model over HTTP",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[model]",
        "a GGUF file, a checkpoint's folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .option("--host <address>", "where to listen", "127.0.0.1")
      .option("--port <number>", "port; 0 takes a free one", parseCount(0), 8080)
      .option("--parallel <count>", "texts that are written at the same time", parseCount(1), 4)
      .option("--queue <count>", "requests that may wait", parseCount(0), 32)
      .option("--api-key <key>", "demand this key of clients")
      .option(
        "--cors <origin>",
        "let pages of this origin use the server; may be given several times",
        collect,
      )
      .option("--timeout <seconds>", "longest time for a request", parseCount(1), 600)
      .option("--no-log", "write no line for each request to standard error")
      .option("--log-prompts", "have prompts and texts in those lines, too");
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText("after", help)
      .action((path: string | undefined, flags: ServeFlags) => serveModel(path, flags, terminal));
  },
};

async function serveModel(path: string | undefined, flags: ServeFlags, terminal: Terminal): Promise<void> {
  const { signal } = terminal;
  // Other commands do not pay for loading it.
  const [{ createServer }, { listen }, { createSelfHealingServer }] = await Promise.all([
    import("../../server/create-server.js"),
    import("../../server/listen.js"),
    import("../../server/self-healing.js"),
  ]);
  const loadOptions = readLoadOptions(flags);
  const server = createSelfHealingServer({
    load: async () => (await openModel(path, loadOptions, terminal)).model,
    serve: (model, onModelFailed) =>
      createServer(model, { ...serverOptions(flags, terminal), onModelFailed }),
    onFailure: (error) => {
      terminal.note(
        `bitnet: ${error instanceof Error ? error.message : String(error)}; loading the model again`,
      );
    },
  });
  try {
    // Before the model is there: who asks meanwhile is told so, and an address that is taken shows at once.
    const { host, port } = flags;
    // No request takes longer, so nobody waits for what is closed.
    const listening = await listen(server, { host, port, idleMs: (flags.timeout + idleSeconds) * 1000 });
    let graceMs = 0;
    try {
      terminal.note(`Loading the model; ${listening.url} answers when it is there`);
      await server.start();
      terminal.write(`Listening on ${listening.url}\n`);
      if (!signal.aborted) {
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
      }
      graceMs = stopGraceMs;
    } finally {
      await listening.close(graceMs);
    }
    // To be stopped is how a server ends.
    terminal.succeed();
  } finally {
    await server.dispose();
  }
}

function serverOptions(flags: ServeFlags, terminal: Terminal): ServerOptions {
  const log = (record: RequestRecord): void => terminal.note(JSON.stringify(record));
  return {
    parallel: flags.parallel,
    queueLimit: flags.queue,
    apiKey: flags.apiKey ?? process.env.BITNET_API_KEY,
    cors: flags.cors,
    timeoutMs: flags.timeout * 1000,
    onRequest: flags.log ? log : undefined,
    logPrompts: flags.logPrompts,
    onError: (error) => terminal.note(`bitnet: ${error instanceof Error ? error.message : String(error)}`),
  };
}
