/** A worker thread of the host. It exchanges messages and can fail as a whole. */
export interface Thread {
  post(message: unknown): void;
  /** Keeps the process alive while the thread runs. */
  ref(): void;
  /** Lets the process end while the thread runs. */
  unref(): void;
  stop(): Promise<void>;
}

/** A worker thread's own side of its `Thread`. */
export interface WorkerPort {
  post(message: unknown): void;
  /** Calls `receive` for each message, in order. */
  onMessage(receive: (message: unknown) => void): void;
}

/** The start of a thread. */
export interface ThreadStart {
  /** Name for debuggers. */
  readonly name: string;
  /** Its work: a part of each pass of a model, or a whole model (worker-model). */
  readonly role: "team" | "model";
  /** The script to run instead of the package's own, such as a bundled copy. */
  readonly script: URL | string | undefined;
  readonly onMessage: (message: unknown) => void;
  /** Called at most once, if the thread ends without `stop`. */
  readonly onFailure: (cause: unknown) => void;
}

/**
 * Runs `serve` in the calling thread, each message in a task of its own. So other
 * events have their turn between two messages, but not while one is being handled.
 */
export function startInline(
  serve: (port: WorkerPort) => void,
  onMessage: (message: unknown) => void,
): Thread {
  let stopped = false;
  let receive: (message: unknown) => void = () => undefined;
  serve({
    post: (message) => {
      if (!stopped) onMessage(message);
    },
    onMessage: (handler) => {
      receive = handler;
    },
  });
  return {
    post: (message) =>
      queueTask(() => {
        if (!stopped) receive(message);
      }),
    ref: () => undefined,
    unref: () => undefined,
    async stop() {
      stopped = true;
    },
  };
}

let queueInBrowser: ((task: () => void) => void) | undefined;

/** Runs a function as a task of its own. Browsers delay nested timers by 4 ms, but not messages. */
export function queueTask(task: () => void): void {
  if (typeof setImmediate === "function") setImmediate(task);
  else (queueInBrowser ??= queueMessage())(task);
}

function queueMessage(): (task: () => void) => void {
  const tasks: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  // The types of Node.js, where setImmediate is used, lack this member.
  (port1 as unknown as { onmessage: () => void }).onmessage = () => tasks.shift()?.();
  return (task) => {
    tasks.push(task);
    port2.postMessage(undefined);
  };
}
