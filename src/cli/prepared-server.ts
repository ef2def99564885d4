import { BitNetError } from "../errors.js";
import type { LoadOptions } from "../language-model/load-options.js";
import type { ServerOptions } from "../server/create-server.js";
import type { SelfHealingServer } from "../server/self-healing.js";
import { openModel } from "./open-model.js";
import {
  createPull,
  findModels,
  type InspectableModel,
  isModelFolder,
  loadableModel,
  requireRunnable,
} from "./served-models.js";
import type { Terminal } from "./terminal.js";

/** A server that does not listen yet. */
export interface PreparedServer extends Pick<SelfHealingServer, "fetch" | "drain" | "dispose" | "start"> {
  /** A line for the operator before the start. @param url of the server. */
  readonly notice: (url: string) => string;
}

/** How models are loaded and served. */
export interface ServerSetup {
  readonly options: ServerOptions;
  readonly loadOptions: LoadOptions;
  /** Whether clients may download models. */
  readonly allowsPull: boolean;
}

/**
 * The server of one model, which is loaded at the start, or of several, which are loaded on demand.
 *
 * @param paths files, folders and names of models. None is the embedded model.
 * @throws BitNetError INVALID_ARGUMENT, FILE_NOT_FOUND.
 */
export async function prepareServer(
  paths: readonly string[],
  setup: ServerSetup,
  terminal: Terminal,
): Promise<PreparedServer> {
  const [path] = paths;
  const isOne = paths.length < 2 && !setup.allowsPull && (path === undefined || !isModelFolder(path));
  return isOne ? oneModel(path, setup, terminal) : severalModels(paths, setup, terminal);
}

/** Loads the model at the start, and again after a failure. */
async function oneModel(
  path: string | undefined,
  { options, loadOptions }: ServerSetup,
  terminal: Terminal,
): Promise<PreparedServer> {
  for (const [flag, value] of [
    ["--keep-alive", options.keepAliveMs],
    ["--max-loaded", options.maxLoaded],
  ] as const) {
    if (value === undefined) continue;
    const message = `Cannot use ${flag}: the server has one model, which stays loaded`;
    throw new BitNetError("INVALID_ARGUMENT", message, { details: { option: flag } });
  }
  const [{ createServer }, { createSelfHealingServer }] = await Promise.all([
    import("../server/create-server.js"),
    import("../server/self-healing.js"),
  ]);
  const { apiKey, cors, allowHosts } = options;
  const server = createSelfHealingServer({
    access: { apiKey, cors, allowHosts },
    load: async () => (await openModel(path, loadOptions, terminal)).model,
    serve: (model, onModelFailed) => createServer(model, { ...options, onModelFailed }),
    onFailure: (error) => terminal.note(`bitnet: ${messageOf(error)}; loading the model again`),
  });
  return { ...server, notice: (url) => `Loading the model; ${url} answers when it is loaded` };
}

/** At the start it only downloads the models and reads their headers. */
async function severalModels(
  paths: readonly string[],
  { options, loadOptions, allowsPull }: ServerSetup,
  terminal: Terminal,
): Promise<PreparedServer> {
  const { createServer } = await import("../server/create-server.js");
  const models = new Map<string, InspectableModel>();
  for (const { name, source, isFound } of findModels(paths)) {
    const model = loadableModel(source, loadOptions, terminal);
    const problem = isFound ? await requireRunnable(name, model).catch(messageOf) : undefined;
    if (problem === undefined) models.set(name, model);
    else terminal.note(`Skipped: ${problem}`);
  }
  const pull = allowsPull ? createPull(loadOptions, terminal) : undefined;
  const server = createServer({ models: Object.fromEntries(models) }, { ...options, pull });
  return {
    fetch: server.fetch,
    drain: () => server.drain(),
    dispose: () => server.dispose(),
    async start(): Promise<void> {
      for (const [name, model] of models) await requireRunnable(name, model);
    },
    notice: () => `Models, loaded on demand: ${[...models.keys()].join(", ")}`,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
