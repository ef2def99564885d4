import { isMainThread, parentPort, Worker, type WorkerOptions } from "node:worker_threads";
import { BitNetError } from "../errors.js";
import type { Thread, ThreadStart, WorkerPort } from "./thread.js";

/** Whether threads can share memory with this one: always. */
export function canShareMemory(): boolean {
  return true;
}

/** Starts a worker thread. */
export function startThread({ name, role, script, onMessage, onFailure }: ThreadStart): Thread {
  const options = { name, execArgv: [], env: process.env };
  const worker =
    script === undefined
      ? ownWorker(role, options)
      : new Worker(isUrlText(script) ? new URL(script) : script, options);
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

/**
 * Bundlers follow the address of a worker only where it stands in the constructor. In dist/node,
 * scripts/bundle-node.mjs writes the address of the bundled script.
 */
const workerOf: Readonly<Record<ThreadStart["role"], (options: WorkerOptions) => Worker>> = {
  team: (options) => new Worker(new URL("../graph/worker-script.js", import.meta.url), options),
  model: (options) => new Worker(new URL("../worker.js", import.meta.url), options),
};

function ownWorker(role: ThreadStart["role"], options: WorkerOptions): Worker {
  try {
    return workerOf[role](options);
  } catch (cause) {
    throw new BitNetError("WORKER_FAILED", `Cannot start a worker thread: ${whyNoWorker(cause)}`, { cause });
  }
}

function whyNoWorker(cause: unknown): string {
  // Deno's message names the missing permission.
  if (cause instanceof Error && cause.name === "NotCapable") return cause.message;
  // A bundle of CommonJS has no address.
  return "this bundle has no script for it; give loadModel the option workerUrl or threads: 0";
}

/** A path is not a URL: on Windows it may begin with "C:". */
function isUrlText(script: URL | string): boolean {
  return typeof script === "string" && /^(file|data):/i.test(script);
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
