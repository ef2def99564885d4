import { BitNetError, throwIfAborted } from "../errors.js";
import { type FileLock, lockHolder, type LockTiming, seekFileLock } from "./node-lock-file.js";

/** A killed process is replaced after a second, and a live one refused after two. */
const usualTiming: LockTiming = { beatMs: 500, deadMs: 1000, staleMs: 15_000 };
const pollMs = 100;

export interface HoldLockOptions {
  readonly signal: AbortSignal;
  /** Called once, if the lock exists already. */
  readonly onWait: () => void;
}

/**
 * Takes the lock of a file that only one process may write. The lock of a killed process is taken over.
 *
 * @param path the file. Its lock is the same path with ".lock".
 * @throws BitNetError FILE_WRITE if another process holds the lock.
 */
export async function holdLock(path: string, { signal, onWait }: HoldLockOptions): Promise<FileLock> {
  const lockPath = `${path}.lock`;
  const { beatMs, staleMs } = usualTiming;
  const seeker = seekFileLock(lockPath, usualTiming);
  const startedMs = performance.now();
  for (let isFirst = true; ; isFirst = false) {
    const lock = await seeker.tryAcquire();
    if (lock !== undefined) return lock;
    if (isFirst) onWait();
    throwIfAborted(signal);
    const waitedMs = performance.now() - startedMs;
    // A beat that is younger than the wait shows that the holder lives.
    const holder = waitedMs > 4 * beatMs ? await lockHolder(lockPath, 2 * beatMs) : undefined;
    if (holder !== undefined || waitedMs > 2 * staleMs) throw locked(path, lockPath, holder);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function locked(path: string, lockPath: string, holder: number | undefined): BitNetError {
  const who = holder === undefined ? "another process" : `process ${holder}`;
  return new BitNetError(
    "FILE_WRITE",
    `Cannot write "${path}": ${who} writes it (its lock is "${lockPath}"); wait for its end, or choose another file`,
    { details: { path } },
  );
}
