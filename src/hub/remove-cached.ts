import { BitNetError } from "../errors.js";
import { lockHolder } from "../platform/node-lock-file.js";
import { type Environment, hostEnvironment } from "../platform/node-environment.js";
import { folderNames, linkTarget, pathStatus, removePath } from "../platform/node-folders.js";
import { dirname, join } from "../platform/node-paths.js";
import { isLock, refPath, repoFolder, snapshotPath } from "./cache-layout.js";
import { type CachedRepo, readRepo, type Snapshot } from "./cached-repo.js";
import { ggufPaths } from "./choose-files.js";
import type { SnapshotFile } from "./cached-model.js";
import { defaultRevision, formatRemoteName, parseRemoteName, type RemoteName } from "./model-name.js";
import { readSettings } from "./settings.js";

/** The plan of a removal. Nothing is removed yet. */
export interface Removal {
  readonly name: string;
  /** Bytes that the removal frees on the disk. */
  readonly freedBytes: number;
  /** All inside the folder of one repository. */
  readonly paths: readonly string[];
}

/** A lock touched within this time belongs to a running download. */
const liveLockMs = 10_000;

/**
 * Finds the cached files of a name. A file is found in every commit, or in one with `@revision`. A revision
 * means all files of its commit. A repository alone means everything, including partial downloads. Files that
 * other commits share stay.
 *
 * @throws BitNetError FILE_NOT_FOUND if the cache has nothing of it; FILE_WRITE while it is being downloaded.
 */
export async function planRemoval(
  text: string,
  environment: Environment = hostEnvironment(),
): Promise<Removal> {
  const settings = readSettings(environment);
  const parsed = parseRemoteName(text, settings.endpoint);
  const folder = repoFolder(settings, parsed);
  const name = formatRemoteName(parsed);
  const title = parsed.kind === "hub" ? parsed.repo : name;
  const repo = await readRepo(folder, title, parsed.kind);
  if (repo !== undefined) {
    await requireIdle(name, folder);
    const removal = await pathsOf(repo, selectionOf(parsed, text));
    if (removal.paths.length > 0) return { name, ...removal };
  }
  throw new BitNetError(
    "FILE_NOT_FOUND",
    `Cannot remove "${name}": it is not in "${dirname(folder)}"; bitnet list shows the models there`,
    { details: { name } },
  );
}

/** @throws BitNetError FILE_WRITE if the host refuses. */
export async function executeRemoval({ paths }: Removal): Promise<void> {
  for (const path of paths) await removePath(path);
}

/** The chosen part of a repository. Undefined means all. */
interface Selection {
  readonly file: string | undefined;
  readonly revision: string | undefined;
}

function selectionOf(name: RemoteName, text: string): Selection {
  if (name.kind === "url") return { file: undefined, revision: undefined };
  const { file, revision } = name;
  // An explicit "@main" means that revision; no revision means all. URLs of files always have one.
  const isSaid = /^hf:/i.test(text) ? text.includes("@") : file !== undefined || revision !== defaultRevision;
  return { file, revision: isSaid ? revision : undefined };
}

async function pathsOf(repo: CachedRepo, selection: Selection): Promise<Omit<Removal, "name">> {
  const { file, revision } = selection;
  const { folder, snapshots } = repo;
  const inRevision = ({ commit, revisions }: Snapshot): boolean =>
    revision === undefined || commit === revision || revisions.includes(revision);
  const isChosen = (snapshot: Snapshot, { path }: SnapshotFile): boolean =>
    inRevision(snapshot) && (file === undefined || ggufPaths(file).includes(path));

  const chosen: SnapshotFile[] = [];
  const kept: SnapshotFile[] = [];
  for (const snapshot of snapshots) {
    for (const each of snapshot.files) (isChosen(snapshot, each) ? chosen : kept).push(each);
  }
  const emptied = snapshots.filter(
    (snapshot) =>
      inRevision(snapshot) &&
      (file === undefined || snapshot.files.some((each) => isChosen(snapshot, each))) &&
      snapshot.files.every((each) => isChosen(snapshot, each)),
  );
  const isAll = snapshots.length > 0 && emptied.length === snapshots.length;
  const isWhole = isAll || (file === undefined && revision === undefined);
  if (isWhole) return { paths: [folder], freedBytes: await fileBytes([folder], new Set()) };
  if (chosen.length === 0 && emptied.length === 0) return { paths: [], freedBytes: 0 };

  const blobs = await blobsOf(folder, chosen);
  for (const blob of await blobsOf(folder, kept)) blobs.delete(blob);
  const folders = emptied.map(({ commit }) => snapshotPath(folder, commit));
  const links = chosen
    .map(({ location }) => location)
    .filter((path) => !folders.some((each) => isInside(each, path)));
  const refs = emptied.flatMap(({ revisions }) => revisions.map((each) => refPath(folder, each)));
  // Names before bytes: an interruption leaves no name without its bytes.
  const paths = [...refs, ...folders, ...links, ...blobs];
  return { paths, freedBytes: await fileBytes(paths, new Set(kept.map(({ identity }) => identity))) };
}

function isInside(folder: string, path: string): boolean {
  return path.startsWith(folder) && /^[/\\]/.test(path.slice(folder.length));
}

/** The blobs of a snapshot's files. Only files in the repository's own folder count, whatever a link says. */
async function blobsOf(folder: string, files: readonly SnapshotFile[]): Promise<Set<string>> {
  const blobs = join(folder, "blobs");
  const found = new Set<string>();
  if ((await pathStatus(blobs, "show"))?.kind !== "folder") return found;
  const identities = new Set(files.map(({ identity }) => identity));
  const linked = new Set(await Promise.all(files.map(({ location }) => linkTarget(location))));
  for (const name of await folderNames(blobs)) {
    const path = join(blobs, name);
    // Symbolic links match by name, hard links by identity.
    const identity = (await pathStatus(path, "show"))?.identity;
    if (linked.has(path) || (identity !== undefined && identities.has(identity))) found.add(path);
  }
  return found;
}

/**
 * Bytes of the files at or below paths. A file with several names counts once, or not at all if another
 * name stays.
 */
async function fileBytes(paths: readonly string[], staying: ReadonlySet<string>): Promise<number> {
  const sizes = new Map<string, number>();
  async function walk(path: string): Promise<void> {
    const status = await pathStatus(path, "show");
    if (status?.kind === "file" && !staying.has(status.identity)) sizes.set(status.identity, status.bytes);
    if (status?.kind !== "folder") return;
    for (const name of await folderNames(path)) await walk(join(path, name));
  }
  for (const path of paths) await walk(path);
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

async function requireIdle(name: string, folder: string): Promise<void> {
  const blobs = join(folder, "blobs");
  for (const lock of (await folderNames(blobs)).filter(isLock)) {
    const pid = await lockHolder(join(blobs, lock), liveLockMs);
    if (pid === undefined) continue;
    throw new BitNetError(
      "FILE_WRITE",
      `Cannot remove "${name}": process ${pid} is downloading it; stop that first`,
      { details: { pid } },
    );
  }
}
