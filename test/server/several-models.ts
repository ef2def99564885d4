import { fileURLToPath } from "node:url";
import {
  BitNetError,
  createServer,
  embeddedModelUrl,
  inspectModel,
  type LanguageModel,
  loadModel,
  type LoadableModel,
  type Server,
  type ServerOptions,
} from "#dist/index.js";
import { rewriteModel } from "../support/rewritten-model.js";

/** A model whose loads a test watches and changes. */
export interface WatchedModel extends LoadableModel {
  /** Number of loads that have begun. */
  readonly loads: () => number;
  /** Number of loads that were not disposed. */
  readonly living: () => number;
  /** Ran before each load. It may wait, or throw. */
  before: () => Promise<void> | void;
}

/** @param bytes Default: the embedded model. */
export function watchedModel(bytes?: Uint8Array): WatchedModel {
  let loads = 0;
  let living = 0;
  const watched: WatchedModel = {
    loads: () => loads,
    living: () => living,
    before: () => undefined,
    inspect: () => inspectModel(bytes ?? fileURLToPath(embeddedModelUrl)),
    async load({ signal }) {
      loads += 1;
      await watched.before();
      const model = await loadModel(bytes, { threads: 1, contextLength: 256, signal });
      living += 1;
      const { dispose } = model;
      return Object.assign(model, {
        dispose: async (): Promise<void> => {
          living -= 1;
          await dispose();
        },
      });
    },
  };
  return watched;
}

/** The embedded model as a file says that it embeds. */
export async function embedderBytes(): Promise<Uint8Array> {
  return rewriteModel(fileURLToPath(embeddedModelUrl), ({ metadata }) =>
    metadata.set("bitnet-b1.58.pooling_type", { type: "uint32", value: 1 }),
  );
}

export function outOfMemory(): BitNetError {
  return new BitNetError("OUT_OF_MEMORY", 'Cannot load "/secret/path.gguf"', {
    details: { bytes: 3 * 2 ** 20, availableBytes: 2 ** 20 },
  });
}

/** A server in this process, and requests to it. */
export interface SeveralServer {
  readonly server: Server;
  readonly get: (path: string) => Promise<unknown>;
  readonly post: (path: string, body: object, signal?: AbortSignal) => Promise<Answer>;
  /** Names of the loaded models. */
  readonly loaded: () => Promise<readonly string[]>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function severalServer(
  models: Readonly<Record<string, LanguageModel | LoadableModel>>,
  options: ServerOptions = {},
): SeveralServer {
  const server = createServer({ models }, options);
  const get = async (path: string): Promise<unknown> =>
    (await server.fetch(new Request(`http://localhost${path}`))).json();
  return {
    server,
    get,
    async post(path, body, signal): Promise<Answer> {
      const init = { method: "POST", body: JSON.stringify(body), ...(signal && { signal }) };
      const response = await server.fetch(new Request(`http://localhost${path}`, init));
      const text = await response.text();
      return {
        status: response.status,
        body: text.startsWith("{") ? JSON.parse(text.split("\n")[0] ?? "") : text,
      };
    },
    async loaded() {
      const { models: list } = (await get("/api/ps")) as {
        readonly models: readonly { readonly name: string }[];
      };
      return list.map(({ name }) => name);
    },
  };
}

/** A request for a text of some tokens. */
export const ask = (model: string, rest: object = {}): object => ({
  model,
  prompt: "Once upon a time",
  max_tokens: 2,
  temperature: 0,
  ...rest,
});
