import type { Thread, ThreadStart, WorkerPort } from "./thread.js";
// Every program in a browser has this module, and bundlers keep what it imports.
import "./web-disposal.js";

/** The parts of a browser's worker that this file uses. The types of the DOM are not among the compiler's. */
interface WebWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onmessageerror: ((event: unknown) => void) | null;
  onerror: ((event: { readonly message?: string; preventDefault?(): void }) => void) | null;
}
// eslint-disable-next-line @typescript-eslint/naming-convention -- The browser's own name.
declare const Worker: new (url: URL | string, options: { type: "module"; name: string }) => WebWorker;
declare const self: {
  postMessage(message: unknown): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
};
declare const location: { readonly origin: string; readonly href: string };

/**
 * Whether threads can share memory with this one: in pages that are cross-origin isolated. WebKitGTK isolates
 * pages, but shares memory only if an option of its engine is on. Otherwise it has no SharedArrayBuffer.
 */
export function canShareMemory(): boolean {
  const { crossOriginIsolated } = globalThis as { readonly crossOriginIsolated?: boolean };
  return crossOriginIsolated === true && "SharedArrayBuffer" in globalThis;
}

/** Starts a web worker. */
export function startThread({ name, role, script, onMessage, onFailure }: ThreadStart): Thread {
  const worker =
    script === undefined ? ownWorker[role](name) : new Worker(sameOrigin(script), { type: "module", name });
  let ended = false;
  const fail = (cause: unknown): void => {
    if (ended) return;
    ended = true;
    onFailure(cause);
  };
  worker.onmessage = ({ data }) => onMessage(data);
  worker.onmessageerror = fail;
  worker.onerror = (event) => {
    event.preventDefault?.();
    fail(new Error(event.message ?? "its script could not be loaded; see the option workerUrl"));
  };
  return {
    post: (message) => worker.postMessage(message),
    ref: () => undefined,
    unref: () => undefined,
    async stop() {
      ended = true;
      worker.terminate();
    },
  };
}

/** Bundlers follow the address of a worker only where it stands in the constructor. */
const ownWorker: Readonly<Record<ThreadStart["role"], (name: string) => WebWorker>> = {
  team: (name) => new Worker(new URL("../graph/worker-script.js", import.meta.url), { type: "module", name }),
  model: (name) => new Worker(new URL("../worker-web.js", import.meta.url), { type: "module", name }),
};

/** The port to the thread that started this one. */
export function workerPort(): WorkerPort | undefined {
  return {
    post: (message) => self.postMessage(message),
    onMessage: (receive) => {
      self.onmessage = ({ data }) => receive(data);
    },
  };
}

/** A worker's script must be of the page's own origin, so a script of a CDN is imported by one that is. */
function sameOrigin(script: URL | string): URL | string {
  // Not the base `import.meta.url`: webpack takes that for the name of a module.
  const url = new URL(script, location.href);
  if (url.origin === location.origin || url.protocol === "blob:" || url.protocol === "data:") return url;
  const source = `import ${JSON.stringify(url.href)};`;
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}
