import { type Environment, hostEnvironment } from "../platform/node-environment.js";
import { snapshotPath } from "./cache-layout.js";
import { isComplete, isWhole } from "./cached-model.js";
import { type CachedRepo, readCache, type Snapshot } from "./cached-repo.js";
import { chooseModel, ggufModels } from "./choose-files.js";
import { defaultRevision, formatRemoteName } from "./model-name.js";
import { readSettings } from "./settings.js";

/** A model in the cache, complete or not. */
export interface ListedModel {
  /** The name that commands load it by. */
  readonly name: string;
  /** "owner/repo". Null for a file from a URL. */
  readonly repo: string | null;
  /** Path in the repository. Null for checkpoint folders and unfinished downloads. */
  readonly file: string | null;
  /** A branch or tag of this commit at the last request. Null if none points to it. */
  readonly revision: string | null;
  readonly commit: string | null;
  readonly bytes: number;
  /** A GGUF file, or a checkpoint folder. For an unfinished download, the cache's folder. */
  readonly path: string;
  /** ISO 8601. */
  readonly lastUsed: string | null;
  /** Only a part of it was downloaded. */
  readonly unfinished: boolean;
  readonly files: readonly { readonly file: string; readonly bytes: number }[];
}

/** Models in the cache, by name. Repositories of other kinds are skipped. */
export async function listCached(
  environment: Environment = hostEnvironment(),
): Promise<readonly ListedModel[]> {
  const repos = await readCache(readSettings(environment));
  const models: ListedModel[] = [];
  for (const repo of repos) {
    for (const snapshot of repo.snapshots) models.push(...(await snapshotModels(repo, snapshot)));
    if (repo.unfinishedBytes > 0) models.push(unfinishedModel(repo));
  }
  return models;
}

async function snapshotModels(repo: CachedRepo, snapshot: Snapshot): Promise<readonly ListedModel[]> {
  const choice = chooseModel(snapshot.files);
  if (choice.kind === "checkpoint") {
    const unfinished = !(await isComplete(choice.files));
    return [listedModel(repo, snapshot, { file: undefined, files: choice.files, unfinished })];
  }
  const models = repo.kind === "url" ? snapshot.files.map((file) => [file]) : ggufModels(snapshot.files);
  return models.map((files) =>
    listedModel(repo, snapshot, { file: files[0]?.path, files, unfinished: !isWhole(files) }),
  );
}

function listedModel(
  repo: CachedRepo,
  { commit, revisions }: Snapshot,
  model: {
    readonly file: string | undefined;
    readonly files: Snapshot["files"];
    readonly unfinished: boolean;
  },
): ListedModel {
  const { file, files, unfinished } = model;
  const revision = revisions.includes(defaultRevision) ? defaultRevision : (revisions[0] ?? null);
  const isHub = repo.kind === "hub";
  const [first] = files;
  return {
    name: isHub
      ? formatRemoteName({ kind: "hub", repo: repo.title, file, revision: revision ?? commit })
      : repo.title,
    repo: isHub ? repo.title : null,
    file: file ?? null,
    revision,
    commit,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    path: file !== undefined && first !== undefined ? first.location : snapshotPath(repo.folder, commit),
    lastUsed: new Date(Math.max(...files.map(({ lastUsedMs }) => lastUsedMs))).toISOString(),
    unfinished,
    files: files.map(({ path, size }) => ({ file: path, bytes: size })),
  };
}

function unfinishedModel({ kind, title, folder, unfinishedBytes }: CachedRepo): ListedModel {
  return {
    name: kind === "hub" ? `hf:${title}` : title,
    repo: kind === "hub" ? title : null,
    file: null,
    revision: null,
    commit: null,
    bytes: unfinishedBytes,
    path: folder,
    lastUsed: null,
    unfinished: true,
    files: [],
  };
}
