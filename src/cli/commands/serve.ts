import type { Command } from "commander";
import type { AccessOptions } from "../../server/access.js";
import type { ServerOptions } from "../../server/create-server.js";
import { isLoopback } from "../../server/hosts.js";
import type { CliCommand } from "../command.js";
import type { RequestRecord } from "../../server/request-log.js";
import { collect, parseCount, parseTime } from "../flag-values.js";
import { addFlags, expertFlags, loadFlags, templateFlags } from "../library-flags.js";
import { defaultLimits } from "../../server/requests/limits.js";
import { readLoadOptions } from "../open-model.js";
import { prepareServer, type ServerSetup } from "../prepared-server.js";
import type { Terminal } from "../terminal.js";

interface ServeFlags extends Readonly<Record<string, unknown>> {
  readonly host: string;
  readonly port: number;
  readonly parallel: number;
  readonly queue: number;
  readonly apiKey?: string;
  readonly cors?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly allowPull?: boolean;
  readonly keepAlive?: number;
  readonly maxLoaded?: number;
  readonly timeout: number;
  readonly stallTimeout: number;
  readonly limit?: readonly string[];
  readonly drainDelay: number;
  readonly grace: number;
  readonly log: boolean;
  readonly logPrompts?: boolean;
}

/** An hour. */
const maxStopSeconds = 3600;
/** A connection may be silent for the timeout of requests plus this time. */
const idleSeconds = 60;

const help = `
Serves the protocols of OpenAI and Anthropic (/v1/...) and Ollama (/api/...), a chat page at / and metrics at
/metrics. The environment variable BITNET_API_KEY sets the key too. Unlike a flag, it is not visible in lists of processes.

Several models, or a folder of models, are loaded when a request's "model" asks for them. The name of a model is its
file's or folder's name, or its name on the hub. A model is let go after --keep-alive, or for another one.

Ctrl-C or SIGTERM: /health/ready is 503 for --drain-delay seconds, so that a balancer chooses other servers. Then new
requests are refused, and running ones have --grace seconds to end. A second signal ends the server at once.

Examples:
  bitnet serve
  bitnet serve model.gguf --port 11434 --parallel 8
  bitnet serve chat.gguf embedder.gguf
  bitnet serve models/ --keep-alive 1h --allow-pull
  bitnet serve hf:owner/repo --host 0.0.0.0 --api-key secret`;

export const serve: CliCommand = {
  name: "serve",
  summary: "Serve models over HTTP",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[models...]",
        "GGUF files, checkpoint folders, names such as hf:owner/repo, or folders of models (default: the embedded model)",
      )
      .option("--host <address>", "address to listen on", "127.0.0.1")
      .option("--port <number>", "port; 0 takes a free one", parseCount(0, 65535), 8080)
      .option("--parallel <count>", "requests that run at the same time", parseCount(1), 4)
      .option("--queue <count>", "maximum of waiting requests", parseCount(0), 32)
      .option("--api-key <key>", "key that clients must send")
      .option("--cors <origin>", "allow web pages of this origin; may be given several times", collect)
      .option(
        "--allow-host <name>",
        "host name that clients without a key may use; may be given several times",
        collect,
      )
      .option("--allow-pull", "let clients download models of the hub by /api/pull")
      .option(
        "--keep-alive <time>",
        "of several models, let one go after so long without requests: 5m, 1h, -1 for never (default: 5m)",
        parseTime,
      )
      .option(
        "--max-loaded <count>",
        "of several models, keep at most so many in memory (default: as many as fit)",
        parseCount(1),
      )
      .option("--timeout <seconds>", "timeout of a request", parseCount(1), 600)
      .option(
        "--stall-timeout <seconds>",
        "cut a stream if the client reads nothing for this long",
        parseCount(1),
        30,
      )
      .option(
        "--limit <name=count>",
        `limit of a request: ${Object.keys(defaultLimits).join(", ")}; may be given several times`,
        collect,
      )
      .option(
        "--drain-delay <seconds>",
        "after a stop signal, keep serving for this long, but report not ready",
        parseCount(0, maxStopSeconds),
        1,
      )
      .option(
        "--grace <seconds>",
        "after that, time for running requests to end",
        parseCount(0, maxStopSeconds),
        10,
      )
      .option("--no-log", "do not log requests to standard error")
      .option("--log-prompts", "also log prompts and generated texts");
    for (const table of [loadFlags, templateFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText("after", help)
      .action((paths: readonly string[], flags: ServeFlags) => serveModels(paths, flags, terminal));
  },
};

async function serveModels(paths: readonly string[], flags: ServeFlags, terminal: Terminal): Promise<void> {
  const { signal } = terminal;
  // Imported here, so that other commands start faster.
  const { listen } = await import("../../server/listen.js");
  const access = accessOptions(flags);
  const setup: ServerSetup = {
    options: { ...access, ...serverOptions(flags, terminal) },
    loadOptions: readLoadOptions(flags),
    allowsPull: flags.allowPull === true,
  };
  const server = await prepareServer(paths, setup, terminal);
  try {
    // Before loading the model: requests get a "loading" answer, and a used port fails at once.
    const { host, port } = flags;
    // Longer than any request, so no request loses its connection.
    const listening = await listen(server, { host, port, idleMs: (flags.timeout + idleSeconds) * 1000 });
    if (access.apiKey === undefined && !isLoopback(host)) {
      terminal.note(
        `Warning: everybody who can reach ${host}, port ${port}, can use the model: set --api-key, or listen on 127.0.0.1`,
      );
    }
    let graceMs = 0;
    try {
      terminal.note(server.notice(listening.url));
      await server.start();
      terminal.write(`Listening on ${listening.url}\n`);
      if (!signal.aborted) {
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true }),
        );
      }
      server.drain();
      await new Promise((resolve) => setTimeout(resolve, flags.drainDelay * 1000));
      graceMs = flags.grace * 1000;
    } finally {
      await listening.close(graceMs);
    }
    // Ctrl-C is the normal end of a server.
    terminal.succeed();
  } finally {
    await server.dispose();
  }
}

function accessOptions({ apiKey, cors, host, allowHost = [] }: ServeFlags): AccessOptions {
  // The name in --host is how clients address the server. An address needs no permission.
  const own = /^[\d.]+$|:/.test(host) ? [] : [host];
  return { apiKey: apiKey ?? process.env.BITNET_API_KEY, cors, allowHosts: [...own, ...allowHost] };
}

function serverOptions(flags: ServeFlags, terminal: Terminal): ServerOptions {
  const log = (record: RequestRecord): void => terminal.note(JSON.stringify(record));
  return {
    parallel: flags.parallel,
    queueLimit: flags.queue,
    timeoutMs: flags.timeout * 1000,
    stallTimeoutMs: flags.stallTimeout * 1000,
    keepAliveMs: flags.keepAlive,
    maxLoaded: flags.maxLoaded,
    limits: Object.fromEntries((flags.limit ?? []).map(readLimit)),
    onRequest: flags.log ? log : undefined,
    logPrompts: flags.logPrompts,
    onError: (error) => terminal.note(`bitnet: ${error instanceof Error ? error.message : String(error)}`),
  };
}

/** `createServer` checks both. */
function readLimit(text: string): readonly [name: string, count: number] {
  const [name = "", count = ""] = text.split("=", 2);
  return [name, Number(count)];
}
