import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
// Deno's own timers are numbers, and would keep the process alive.
import { clearInterval, setInterval } from "node:timers";
import { writeFailed } from "./node-file-sink.js";

/** How often a holder shows that it lives, and how long others watch before they take a lock away. */
export interface LockTiming {
  readonly beatMs: number;
  /** For a lock whose process is gone from this machine, as far as can be told. */
  readonly deadMs: number;
  /** For a lock of another machine, or of a process that seems to be there. */
  readonly staleMs: number;
}

/** A lock that this process holds. */
export interface FileLock {
  /** Gives the lock back; idempotent. Never rejects. */
  release(): Promise<void>;
}

/** Who tries for a lock: it remembers what it has seen, because a lock is stale only after it was watched for a while. */
export interface LockSeeker {
  /**
   * @returns undefined while another holds the lock.
   * @throws BitNetError FILE_WRITE if no file can be made there.
   */
  tryAcquire(): Promise<FileLock | undefined>;
}

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
}

/**
 * Prepares to take a lock that is a file: Node.js has no `flock`. Whoever creates the file has the lock and touches it
 * every `beatMs`. A file that is not touched any more was left by a killed process, and is taken over.
 *
 * The lock spares work, and nothing may depend on it for correctness: a process that was stopped for longer than
 * `staleMs` and goes on believes that it still has it.
 */
export function seekFileLock(path: string, timing: LockTiming): LockSeeker {
  // Clocks of machines that share a disk differ, so age is what this clock measured between two looks at the file.
  let seen: { readonly text: string; readonly beat: number; readonly sinceMs: number } | undefined;

  return {
    async tryAcquire(): Promise<FileLock | undefined> {
      const lock = await createLock(path, timing);
      if (lock !== undefined) return lock;
      const now = performance.now();
      const [text, status] = await Promise.all([readFile(path, "utf8"), stat(path)]).catch(() => []);
      // Released in between: the next try will tell.
      if (text === undefined || status === undefined) return undefined;
      if (seen?.text !== text || seen.beat !== status.mtimeMs) {
        seen = { text, beat: status.mtimeMs, sinceMs: now };
      }
      const patienceMs = isGone(parseHolder(text)) ? timing.deadMs : timing.staleMs;
      if (now - seen.sinceMs < patienceMs) return undefined;
      await takeAway(path, text);
      return createLock(path, timing);
    },
  };
}

/** The process that has a lock and has shown so within `withinMs`; undefined where none has. */
export async function lockHolder(path: string, withinMs: number): Promise<number | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    const holder = parseHolder(text);
    return holder === undefined || isGone(holder) || Date.now() - mtimeMs > withinMs ? undefined : holder.pid;
  } catch {
    return undefined;
  }
}

async function createLock(path: string, { beatMs }: LockTiming): Promise<FileLock | undefined> {
  const holder: Holder = { token: randomUUID(), host: hostname(), pid: process.pid };
  const text = JSON.stringify(holder);
  try {
    const handle = await open(path, "wx");
    await handle.writeFile(text).finally(() => handle.close());
  } catch (error) {
    if ((error as { code?: unknown }).code === "EEXIST") return undefined;
    throw writeFailed(path, error);
  }
  const beat = setInterval(() => {
    const now = new Date();
    // A lock that was taken away has a new owner's text; touching that once more does no harm.
    utimes(path, now, now).catch(() => undefined);
  }, beatMs);
  beat.unref();

  let released = false;
  return {
    async release(): Promise<void> {
      clearInterval(beat);
      if (released) return;
      released = true;
      const current = await readFile(path, "utf8").catch(() => undefined);
      if (current === text) await rm(path, { force: true }).catch(() => undefined);
    },
  };
}

/**
 * Removes the lock whose text was seen. Between the look and the removal another may have removed it and taken the lock
 * anew: renaming is atomic, so what was renamed can be looked at and put back.
 */
async function takeAway(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  try {
    if ((await readFile(aside, "utf8")) !== text) await link(aside, path);
  } catch {
    // A third has created the lock meanwhile: two believe to have it, which the lock's users must bear.
  } finally {
    await rm(aside, { force: true }).catch(() => undefined);
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    if (typeof value?.token !== "string" || typeof value.host !== "string") return undefined;
    const { token, host, pid } = value;
    return Number.isSafeInteger(pid) && (pid as number) > 0 ? { token, host, pid: pid as number } : undefined;
  } catch {
    return undefined;
  }
}

function isGone(holder: Holder | undefined): boolean {
  // A killed process may have left a file without text; it is not known to be gone.
  if (holder?.host !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "ESRCH";
  }
}
