import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { BitNetError } from "../errors.js";
import { partPaths } from "../files/split-gguf.js";
import { isRemoteName } from "../hub/model-name.js";
import { loadModel } from "../language-model/load-model.js";
import type { LoadOptions } from "../language-model/load-options.js";
import { plainName } from "../server/models/model-names.js";
import type { LoadableModel, PullModel } from "../server/models/served-model.js";
import { type Inspection, inspectModel } from "../tools/inspect.js";
import { localModel, modelMeant } from "./local-model.js";
import { modelName } from "./open-model.js";
import type { Terminal } from "./terminal.js";

/** A model to serve: its name for clients, and its path or name on the hub. */
export interface NamedModel {
  readonly name: string;
  /** Undefined is the embedded model. */
  readonly source: string | undefined;
  /** Whether it was found in a folder of models. Such a model is skipped if it cannot run. */
  readonly isFound: boolean;
}

/**
 * The models that a command names, each by a file, a checkpoint folder, a name on the hub, or a folder of
 * models.
 *
 * @param given none is the embedded model.
 * @throws BitNetError FILE_NOT_FOUND; INVALID_ARGUMENT for two models with one name.
 */
export function findModels(given: readonly string[]): readonly NamedModel[] {
  const models = given.length === 0 ? [namedModel(undefined)] : given.flatMap(modelsAt);
  for (const [index, { name, source }] of models.entries()) {
    const other = models.findIndex((each) => each.name === name);
    if (other === index) continue;
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot serve both "${models[other]?.source ?? name}" and "${source ?? name}": their name for clients is "${name}"; rename one`,
      { details: { name } },
    );
  }
  return models;
}

/** Whether a path is a folder of models, not a model. */
export function isModelFolder(path: string): boolean {
  return !isRemoteName(path) && isFolder(path) && !existsSync(join(path, "config.json"));
}

function namedModel(source: string | undefined): NamedModel {
  return { name: clientName(source), source, isFound: false };
}

function modelsAt(path: string): NamedModel[] {
  if (!isModelFolder(path)) return [namedModel(modelMeant(path))];
  const found = readdirSync(path)
    .sort()
    .map((entry) => join(path, entry))
    .filter(isModel)
    .map((source) => ({ ...namedModel(source), isFound: true }));
  if (found.length > 0) return found;
  throw new BitNetError(
    "FILE_NOT_FOUND",
    `Cannot serve "${path}": the folder has no model (expected GGUF files, checkpoint folders, or config.json of a checkpoint)`,
  );
}

/** Of a model in parts, the first. */
function isModel(path: string): boolean {
  if (isFolder(path)) return existsSync(join(path, "config.json"));
  return /\.gguf$/i.test(path) && (partPaths(path)?.[0] ?? path) === path;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A file's name without its ending, a folder's name, or a name on the hub without "hf:". */
function clientName(source: string | undefined): string {
  if (source !== undefined && /^hf:/i.test(source)) return plainName(source);
  const file = source !== undefined && isRemoteName(source) ? new URL(source).pathname : modelName(source);
  return basename(file).replace(/(?:-\d{5}-of-\d{5})?\.gguf$/i, "");
}

/** A model on demand whose header can be read. */
export interface InspectableModel extends LoadableModel {
  readonly inspect: () => Promise<Inspection>;
}

/** A model that is downloaded, if need be, and loaded when a request needs it. */
export function loadableModel(
  source: string | undefined,
  options: LoadOptions,
  terminal: Terminal,
): InspectableModel {
  let local: Promise<string | undefined> | undefined;
  function findLocal(): Promise<string | undefined> {
    local ??= localModel(source, terminal).catch((error: unknown) => {
      local = undefined;
      throw error;
    });
    return local;
  }
  const { contextLength, threads, packing } = options;
  let inspected: Inspection | undefined;
  return {
    load: async ({ signal }) => loadModel(await findLocal(), { ...options, signal }),
    // Reading a large header takes a tenth of a second, in which the server answers nobody. So once.
    inspect: async () =>
      (inspected ??= await inspectModel(await findLocal(), { contextLength, threads, packing })),
  };
}

/** @throws BitNetError UNSUPPORTED_FILE if its header shows that loading would fail. */
export async function requireRunnable(name: string, { inspect }: InspectableModel): Promise<void> {
  const { summary } = await inspect();
  if (summary.problem === null) return;
  throw new BitNetError("UNSUPPORTED_FILE", `Cannot serve "${name}": ${summary.problem}`, {
    details: { name },
  });
}

/** Downloads models for `/api/pull`. A model that cannot run here is refused, and stays in the cache. */
export function createPull(options: LoadOptions, terminal: Terminal): PullModel {
  return async (name, { signal, onProgress }) => {
    // Imported only if a model comes from the network.
    const { fetchModel } = await import("../hub/index.js");
    const { path } = await fetchModel(name, { signal, onProgress });
    const model = loadableModel(path, options, terminal);
    await requireRunnable(name, model);
    return model;
  };
}
