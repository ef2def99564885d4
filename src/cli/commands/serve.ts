import type { Command } from "commander";
import type { AccessOptions } from "../../server/access.js";
import type { ServerOptions } from "../../server/create-server.js";
import { isLoopback } from "../../server/hosts.js";
import type { CliCommand } from "../command.js";
import type { RequestRecord } from "../../server/request-log.js";
import { collect, parseCount } from "../flag-values.js";
import { addFlags, expertFlags, loadFlags } from "../library-flags.js";
import { defaultLimits } from "../../server/requests/limits.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";

interface ServeFlags extends Readonly<Record<string, unknown>> {
  readonly host: string;
  readonly port: number;
  readonly parallel: number;
  readonly queue: number;
  readonly apiKey?: string;
  readonly cors?: readonly string[];
  readonly allowHost?: readonly string[];
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
/metrics. The environment variable BITNET_API_KEY sets the key too, and lists of processes do not show it.

Ctrl-C or SIGTERM: /health/ready is 503 for --drain-delay seconds, so that a balancer chooses other servers. Then new
requests are refused, and running ones have --grace seconds to end. A second signal ends the server at once.

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
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .option("--host <address>", "address to listen on", "127.0.0.1")
      .option("--port <number>", "port; 0 takes a free one", parseCount(0, 65535), 8080)
      .option("--parallel <count>", "requests that run at the same time", parseCount(1), 4)
      .option("--queue <count>", "maximum of waiting requests", parseCount(0), 32)
      .option("--api-key <key>", "key that clients must send")
      .option("--cors <origin>", "allow web pages of this origin; may be given several times", collect)
      .option(
        "--allow-host <name>",
        "without a key, answer requests to this host name too; may be given several times",
        collect,
      )
      .option("--timeout <seconds>", "timeout of a request", parseCount(1), 600)
      .option(
        "--stall-timeout <seconds>",
        "cut a stream of which the client takes nothing for so long",
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
        "after a stop signal, serve this long as not ready",
        parseCount(0, maxStopSeconds),
        1,
      )
      .option("--grace <seconds>", "then time for running requests to end", parseCount(0, maxStopSeconds), 10)
      .option("--no-log", "do not log requests to standard error")
      .option("--log-prompts", "also log prompts and generated texts");
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText("after", help)
      .action((path: string | undefined, flags: ServeFlags) => serveModel(path, flags, terminal));
  },
};

async function serveModel(path: string | undefined, flags: ServeFlags, terminal: Terminal): Promise<void> {
  const { signal } = terminal;
  // Imported here, so that other commands start faster.
  const [{ createServer }, { listen }, { createSelfHealingServer }] = await Promise.all([
    import("../../server/create-server.js"),
    import("../../server/listen.js"),
    import("../../server/self-healing.js"),
  ]);
  const loadOptions = readLoadOptions(flags);
  const access = accessOptions(flags);
  const server = createSelfHealingServer({
    access,
    load: async () => (await openModel(path, loadOptions, terminal)).model,
    serve: (model, onModelFailed) =>
      createServer(model, { ...access, ...serverOptions(flags, terminal), onModelFailed }),
    onFailure: (error) => {
      terminal.note(
        `bitnet: ${error instanceof Error ? error.message : String(error)}; loading the model again`,
      );
    },
  });
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
      terminal.note(`Loading the model; ${listening.url} answers when it is loaded`);
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
