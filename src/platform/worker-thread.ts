import { isMainThread, parentPort } from "node:worker_threads";

/** A worker thread's own side of its `Thread`. */
export interface WorkerPort {
  post(message: unknown): void;
  /** Calls `receive` for each message, in order. */
  onMessage(receive: (message: unknown) => void): void;
}

/** The port to the thread that started this one; undefined on the main thread. */
export function workerPort(): WorkerPort | undefined {
  const port = parentPort;
  if (isMainThread || port === null) return undefined;
  return {
    post: (message) => port.postMessage(message),
    onMessage: (receive) => void port.on("message", receive),
  };
}
