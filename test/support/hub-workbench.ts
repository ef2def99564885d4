import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { BitNetError } from "#dist/errors.js";
import { fetchModel, type FetchedModel, type HubFetchOptions } from "#dist/hub/index.js";
import { usualTiming } from "#dist/hub/timing.js";
import { type HubServer, repoOf, sha256, startHubServer } from "./hub-server.js";

/**
 * Short delays, but as many tries as usual. Delays are as long as usual where a busy machine could confuse a
 * test. Tests of silence and of stale locks set their own timing.
 */
export const quickTiming: typeof usualTiming = {
  ...usualTiming,
  firstPauseMs: 1,
  maxPauseMs: 5,
  maxRetryAfterMs: 2000,
  silenceMs: 10_000,
  pollMs: 5,
  lock: { beatMs: 20, deadMs: 60, staleMs: 10_000 },
};

/** A hub, and an empty cache for it. */
export interface HubWorkbench {
  readonly server: HubServer;
  readonly folder: string;
  /** For commands. Variables of the tester are unset. */
  readonly environment: Readonly<Record<string, string>>;
  fetch(name: string, options?: HubFetchOptions): Promise<FetchedModel>;
  /** Makes the hub serve `benchModel` as owner/repo. */
  serveModel(access?: "public" | "gated" | "private"): void;
  /** The required end of every download. */
  expectModel(path: string): Promise<void>;
  /** Names of all blobs, of partial blobs and of locks. */
  blobNames(repo: string): Promise<readonly string[]>;
  blobFolder(repo: string): string;
  /** Forgets requests and mishaps, and empties the cache. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** The file that the workbench's hub serves, its checksum, and its name. */
export const benchModel = noise(1_000_000);
export const benchSum = sha256(benchModel);
export const benchName = "hf:owner/repo/folder/model.gguf";

/** The error of a failed call. It must be a BitNetError. */
export async function failure(promise: Promise<unknown>): Promise<BitNetError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BitNetError);
  return error as BitNetError;
}

export async function openHubWorkbench(): Promise<HubWorkbench> {
  const server = await startHubServer();
  const folder = await mkdtemp(join(tmpdir(), "bitnet-hub-"));
  const environment = {
    HF_ENDPOINT: server.endpoint,
    HF_HOME: folder,
    HF_HUB_CACHE: "",
    HUGGINGFACE_HUB_CACHE: "",
    HF_TOKEN: "",
    HF_HUB_OFFLINE: "",
  };
  const blobFolder = (repo: string): string =>
    join(folder, "hub", `models--${repo.replace("/", "--")}`, "blobs");
  const blobNames = async (repo: string): Promise<readonly string[]> =>
    (await readdir(blobFolder(repo)).catch(() => [])).sort();
  return {
    server,
    folder,
    environment,
    blobFolder,
    fetch: (name, options = {}) =>
      fetchModel(name, {
        ...options,
        environment: { ...environment, ...options.environment },
        timing: options.timing ?? quickTiming,
      }),
    serveModel(access = "public") {
      const files = { "folder/model.gguf": benchModel, "README.md": "# Model" };
      server.repos.set("owner/repo", repoOf(files, access));
    },
    async expectModel(path) {
      expect(sha256(await readFile(path))).toBe(benchSum);
      expect(await blobNames("owner/repo")).toEqual([benchSum]);
    },
    blobNames,
    async reset() {
      server.forget();
      server.repos.clear();
      server.renamed.clear();
      server.plainFiles.clear();
      await rm(folder, { recursive: true, force: true });
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Random bytes, the same each time. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
