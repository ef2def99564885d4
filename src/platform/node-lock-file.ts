import { link, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
// Deno's own timers are numbers, and would keep the process alive.
import { clearInterval, setInterval } from "node:timers";
import { writeFailed } from "./node-file-sink.js";

/** How often a holder touches its lock, and how long others wait before they take it over. */
export interface LockTiming {
  readonly beatMs: number;
  /** For a lock whose process no longer exists on this machine. */
  readonly deadMs: number;
  /** For a lock of another machine, or of a process that seems to exist. */
  readonly staleMs: number;
}

/** A lock that this process holds. */
export interface FileLock {
  /** Releases the lock. Idempotent, never rejects. */
  release(): Promise<void>;
}

/** Tries for a lock. It remembers earlier looks: a lock is stale only after it was watched for a while. */
export interface LockSeeker {
  /**
   * @returns undefined while another process holds the lock
   * @throws BitNetError FILE_WRITE if the file cannot be created.
   */
  tryAcquire(): Promise<FileLock | undefined>;
}

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
}

/**
 * Prepares to take a lock that is a file, because Node.js has no `flock`. The process that creates the file
 * holds the lock and touches it every `beatMs`. A file that is no longer touched belongs to a killed process
 * and is taken over.
 *
 * The lock saves work only; correctness must not depend on it. A process that was suspended for longer than
 * `staleMs` still believes that it holds the lock.
 */
export function seekFileLock(path: string, timing: LockTiming): LockSeeker {
  // Clocks of machines that share a disk differ. So age is measured here, between two looks at the file.
  let seen: { readonly text: string; readonly beat: number; readonly sinceMs: number } | undefined;

  return {
    async tryAcquire(): Promise<FileLock | undefined> {
      const lock = await createLock(path, timing);
      if (lock !== undefined) return lock;
      const now = performance.now();
      const [text, status] = await Promise.all([readFile(path, "utf8"), stat(path)]).catch(() => []);
      // Released in between: the next try gets it.
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

/** The process that holds a lock and touched it within `withinMs`. Undefined without one. */
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
  const holder: Holder = { token: crypto.randomUUID(), host: hostname(), pid: process.pid };
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
    // A lock that was taken over has a new owner's text. Touching it once more does no harm.
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
 * Removes the lock with the text that was seen. Meanwhile another process may have replaced it. Renaming is
 * atomic, so the renamed file can be inspected and put back.
 */
async function takeAway(path: string, text: string): Promise<void> {
  const aside = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  try {
    if ((await readFile(aside, "utf8")) !== text) await link(aside, path);
  } catch {
    // A third process created the lock meanwhile. Two now believe to hold it; users of the lock must tolerate
    // that.
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
  // A killed process may have left a file without text. Its process is unknown, so it counts as alive.
  if (holder?.host !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "ESRCH";
  }
}
