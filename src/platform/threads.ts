import { Worker } from "node:worker_threads";

/** A worker thread of the host. It exchanges messages and can fail as a whole. */
export interface Thread {
  post(message: unknown): void;
  /** Keeps the process alive while the thread runs. */
  ref(): void;
  /** Lets the process end while the thread runs. */
  unref(): void;
  stop(): Promise<void>;
}

/**
 * Starts the script at `url` in a thread. `onFailure` is called at most once, if the thread ends without
 * `stop`.
 */
export function startThread(
  url: URL,
  name: string,
  onMessage: (message: unknown) => void,
  onFailure: (cause: unknown) => void,
): Thread {
  const worker = new Worker(url, { name, execArgv: [], env: process.env });
  let ended = false;
  const fail = (cause: unknown): void => {
    if (ended) return;
    ended = true;
    onFailure(cause);
  };
  worker.on("message", onMessage);
  worker.on("error", fail);
  worker.on("messageerror", fail);
  worker.on("exit", (code: number) => fail(new Error(`the thread ended by itself with code ${code}`)));
  return {
    post: (message) => worker.postMessage(message),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    async stop() {
      ended = true;
      await worker.terminate();
    },
  };
}
