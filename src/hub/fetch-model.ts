import { BitNetError, throwIfAborted } from "../errors.js";
import { type Environment, hostEnvironment } from "../platform/node-environment.js";
import {
  folderNames,
  freeDiskBytes,
  makeFolder,
  pathStatus,
  removePath,
  replaceText,
} from "../platform/node-folders.js";
import { dirname, join } from "../platform/node-paths.js";
import {
  blobPath,
  linkSnapshot,
  partialPath,
  repoFolder,
  snapshotPath,
  urlFilePath,
  writeRef,
} from "./cache-layout.js";
import { type CachedModel, findCached } from "./cached-model.js";
import { ggufPaths, isGguf, requireChoice } from "./choose-files.js";
import { downloadFile, versionChanged } from "./download-file.js";
import { createHttp, type Http } from "./http.js";
import { createHubApi, type HubApi } from "./hub-api.js";
import {
  defaultRevision,
  formatRemoteName,
  type HubName,
  parseRemoteName,
  type RemoteName,
} from "./model-name.js";
import { explainHubRefusal, explainUrlRefusal } from "./refusals.js";
import type { RemoteFile } from "./remote-file.js";
import { type HubSettings, readSettings } from "./settings.js";
import { type Timing, usualTiming } from "./timing.js";
import { findUrlFile } from "./url-file.js";

/** Options of `fetchModel`. */
export interface FetchOptions {
  /** True asks the hub for a newer version even if the cache has one. Default: false. */
  readonly refresh?: boolean | undefined;
  /** Called as bytes arrive. Not called if the cache has the model. */
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
  /** Stops the download. A later call resumes it. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of this library's own tests. */
export interface HubFetchOptions extends FetchOptions {
  /** Default: the environment variables of this process. */
  readonly environment?: Environment;
  readonly timing?: Timing;
}

/** Bytes of a download so far, and the total. */
export interface FetchProgress {
  /** Bytes so far, with the bytes of an earlier, interrupted call. */
  readonly loadedBytes: number;
  /** Bytes of all files. */
  readonly totalBytes: number;
}

/** A downloaded model. */
export interface FetchedModel {
  /** The full name, with the chosen file: "hf:owner/repo/model.gguf". */
  readonly name: string;
  /** Path of a GGUF file, or of a checkpoint folder. */
  readonly path: string;
  /** Commit of the repository. For a URL, the version that its server names. */
  readonly commit: string;
  /** Size of all files, in bytes. */
  readonly bytes: number;
  /** Bytes that this call downloaded. 0 if the cache had every file. */
  readonly transferredBytes: number;
  /** The files: name in the repository, local path, size in bytes. */
  readonly files: readonly { readonly file: string; readonly path: string; readonly bytes: number }[];
}

/**
 * Turns a name into a local file or folder. A cached model needs no request; others are downloaded.
 *
 * @param text `hf:owner/repo[/file][@revision]` or `https://…`
 * @throws BitNetError INVALID_ARGUMENT, FILE_NOT_FOUND, ACCESS_DENIED, DOWNLOAD_FAILED, FILE_WRITE,
 *   UNSUPPORTED_FILE; `signal.reason`.
 */
export async function fetchModel(text: string, options: HubFetchOptions = {}): Promise<FetchedModel> {
  const settings = readSettings(options.environment ?? hostEnvironment());
  const name = parseRemoteName(text, settings.endpoint);
  throwIfAborted(options.signal);
  if (options.refresh !== true) {
    const cached = await findCached(settings, name);
    if (cached !== undefined) return describeCached(name, cached);
  }
  if (settings.offline) {
    throw new BitNetError(
      "DOWNLOAD_FAILED",
      `Cannot download "${formatRemoteName(name)}": HF_HUB_OFFLINE is set${options.refresh === true ? "" : ", and the model is not in the cache"}`,
    );
  }
  const task = createTask(name, settings, options);
  for (let changes = 0; ; changes += 1) {
    try {
      return await download(await findRemote(task), task);
    } catch (error) {
      // The version changed between the two requests. The new version is as good.
      const changed = error instanceof BitNetError && error.details.reason === versionChanged;
      if (!changed || changes === 2) throw error;
    }
  }
}

function describeCached(name: RemoteName, { kind, path, commit, files }: CachedModel): FetchedModel {
  const [first] = files;
  const isChosen = name.kind === "hub" && kind === "gguf" && first !== undefined;
  return {
    name: formatRemoteName(isChosen ? { ...name, file: first.path } : name),
    path,
    commit,
    bytes: sum(files.map(({ size }) => size)),
    transferredBytes: 0,
    files: files.map(({ path: file, location, size }) => ({ file, path: location, bytes: size })),
  };
}

/** Everything that the steps of one `fetchModel` call share. */
interface Task {
  readonly name: RemoteName;
  readonly settings: HubSettings;
  readonly folder: string;
  readonly attempt: string;
  readonly http: Http;
  readonly timing: Timing;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: FetchProgress) => void;
}

function createTask(name: RemoteName, settings: HubSettings, options: HubFetchOptions): Task {
  const { signal, timing = usualTiming, onProgress = () => undefined } = options;
  const attempt = `Cannot download "${formatRemoteName(name)}"`;
  const { endpoint, token } = settings;
  const http = createHttp({
    attempt,
    timing,
    signal,
    credentials:
      name.kind === "hub" && token !== undefined ? { origin: new URL(endpoint).origin, token } : undefined,
    explain: async (refusal) =>
      name.kind === "hub" ? explainHubRefusal(name, settings, refusal) : explainUrlRefusal(name, refusal),
  });
  return { name, settings, folder: repoFolder(settings, name), attempt, http, timing, signal, onProgress };
}

/** The files to download. */
interface RemoteModel {
  readonly name: RemoteName;
  readonly commit: string;
  readonly kind: "gguf" | "checkpoint";
  readonly files: readonly RemoteFile[];
}

async function findRemote({ name, settings, http, signal }: Task): Promise<RemoteModel> {
  if (name.kind === "url") {
    const { commit, files: file } = await findUrlFile(http, name);
    return { name, commit, kind: "gguf", files: [file] };
  }
  const api = createHubApi(settings.endpoint, http, signal);
  const { file: path } = name;
  if (path !== undefined) {
    const [found, ...others] = await Promise.all(
      ggufPaths(path).map((part) =>
        api.findFile({ ...name, file: part }).catch((error: unknown) => nameOthers(error, name, api)),
      ),
    );
    if (found === undefined) throw new TypeError("no paths");
    const files = [found, ...others].map(({ files: file }) => file);
    return { name: { ...name, file: found.files.path }, commit: found.commit, kind: "gguf", files };
  }
  const { commit, files } = await api.listFiles(name);
  const choice = requireChoice(name, files);
  if (choice.kind === "checkpoint") return { name, commit, kind: "checkpoint", files: choice.files };
  return { name: { ...name, file: choice.files[0]?.path }, commit, kind: "gguf", files: choice.files };
}

/**
 * A missing file was probably misspelt. The error lists the GGUF files of the repository, if the hub names
 * them.
 */
async function nameOthers(error: unknown, name: HubName, api: HubApi): Promise<never> {
  if (!(error instanceof BitNetError) || error.details.missing !== "file") throw error;
  const listed = await api.listFiles({ ...name, file: undefined }).catch(() => undefined);
  const names = (listed?.files ?? []).map(({ path }) => path).filter(isGguf);
  if (names.length === 0) throw error;
  throw new BitNetError(error.code, `${error.message}; it has ${names.slice(0, 20).join(", ")}`, {
    cause: error,
    details: { ...error.details, files: names },
  });
}

async function download(model: RemoteModel, task: Task): Promise<FetchedModel> {
  const { name, folder, attempt, http, timing, signal, onProgress } = task;
  const { commit, files } = model;
  await makeFolder(folder);
  await requireRoom(model, task);
  // First, so that an interrupted download can be listed.
  if (name.kind === "url") await replaceText(urlFilePath(folder), formatRemoteName(name));

  const loaded = files.map(() => 0);
  const totalBytes = sum(files.map(({ size = 0 }) => size));
  const fetched: { file: string; path: string; bytes: number }[] = [];
  let transferredBytes = 0;
  for (const [index, file] of files.entries()) {
    const blob = blobPath(folder, file.version);
    const report = (position: number): void => {
      loaded[index] = position;
      const loadedBytes = sum(loaded);
      onProgress({ loadedBytes, totalBytes: Math.max(totalBytes, loadedBytes) });
    };
    let path = snapshotPath(folder, commit, file.path);
    if (!(await isLinked(file, path))) {
      const options = { http, attempt, timing, signal, onBytes: report };
      transferredBytes += await downloadFile(file, blob, options);
      path = await linkSnapshot(folder, commit, file.path, blob);
    }
    const bytes = (await pathStatus(path, "follow"))?.bytes ?? 0;
    report(bytes);
    fetched.push({ file: file.path, path, bytes });
  }
  await finish(model, task);
  const [first] = fetched;
  return {
    name: formatRemoteName(model.name),
    path: model.kind === "gguf" && first !== undefined ? first.path : snapshotPath(folder, commit),
    commit,
    bytes: sum(fetched.map(({ bytes }) => bytes)),
    transferredBytes,
    files: fetched,
  };
}

/** Whether a commit's file is there and complete. On hosts without links it may be there without its blob. */
async function isLinked({ size }: RemoteFile, path: string): Promise<boolean> {
  const status = await pathStatus(path, "follow");
  return size !== undefined && status?.kind === "file" && status.bytes === size;
}

/** Points the name to the new files. Until they are complete, the old ones serve. */
async function finish({ commit, files }: RemoteModel, { name, folder }: Task): Promise<void> {
  if (name.kind === "hub") return writeRef(folder, name.revision, commit);
  await writeRef(folder, defaultRevision, commit);
  // No name points to an earlier version now. Hosts may refuse to remove a file in use.
  const blobs = files.map(({ version }) => blobPath(folder, version));
  for (const path of [
    ...(await pathsIn(join(folder, "snapshots"))),
    ...(await pathsIn(join(folder, "blobs"))),
  ]) {
    if (path !== snapshotPath(folder, commit) && !blobs.includes(path))
      await removePath(path).catch(() => undefined);
  }
}

async function pathsIn(folder: string): Promise<readonly string[]> {
  return (await folderNames(folder)).map((name) => join(folder, name));
}

/** @throws BitNetError FILE_WRITE if the disk has less room than the files need. */
async function requireRoom({ commit, files }: RemoteModel, { folder, attempt }: Task): Promise<void> {
  const missing = await Promise.all(
    files.map(async (file) => {
      const blob = blobPath(folder, file.version);
      if (await isLinked(file, snapshotPath(folder, commit, file.path))) return 0;
      if (await isLinked(file, blob)) return 0;
      const partial = await pathStatus(partialPath(blob), "follow");
      return Math.max(0, (file.size ?? 0) - (partial?.bytes ?? 0));
    }),
  );
  const needed = sum(missing);
  const free = await freeDiskBytes(folder);
  if (free === undefined || needed <= free) return;
  throw new BitNetError(
    "FILE_WRITE",
    `${attempt}: it needs ${megabytes(needed)} and the disk of "${dirname(folder)}" has ${megabytes(free)} free; make room, or name another folder in HF_HOME`,
    { details: { neededBytes: needed, freeBytes: free } },
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
