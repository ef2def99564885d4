// `bitnet serve` as a process, with the functions that its clients need.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../dist/node/bitnet.js", import.meta.url));

/**
 * Starts a server on a free port, with the runtime `node`. Its log is discarded, so that no terminal slows
 * it.
 */
export async function startServed({ model, flags = [], node = process.execPath }) {
  const args = [cli, "serve", ...(model === undefined ? [] : [model]), "--port", "0", ...flags];
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "pipe"] });
  // Otherwise it would outlive this process.
  const listeners = {
    exit: () => child.kill(),
    SIGINT: () => process.exit(1),
    SIGTERM: () => process.exit(1),
  };
  for (const [event, listener] of Object.entries(listeners)) process.once(event, listener);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  void ended.then(() => {
    for (const [event, listener] of Object.entries(listeners)) process.off(event, listener);
  });
  let complaints = "";
  child.stderr.on("data", (data) => {
    for (const line of String(data).split("\n")) if (!line.startsWith("{")) complaints += line;
    complaints = complaints.slice(-10_000);
  });
  const url = await new Promise((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (data) => {
      out += data;
      const match = /Listening on (\S+)/.exec(out);
      if (match !== null) resolve(match[1]);
    });
    void ended.then((status) =>
      reject(new Error(`bitnet serve ended with ${status} before it listened: ${complaints}`)),
    );
  });
  return {
    url,
    complaints: () => complaints,
    /** Resident memory in bytes now; undefined if the system does not report it. */
    memoryBytes() {
      try {
        return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) * 1024;
      } catch {
        return undefined;
      }
    },
    async stop() {
      child.kill("SIGTERM");
      return ended;
    },
    /** Ends it as a crash would. */
    async kill() {
      child.kill("SIGKILL");
      return ended;
    },
  };
}

/** All metrics without labels. */
export async function readMetrics(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Object.fromEntries(
    [...text.matchAll(/^bitnet_(\w+) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]),
  );
}

export function post(url, path, body, options = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url + path, {
    method: "POST",
    body: text,
    headers: { "Content-Type": "application/json" },
    ...options,
  });
}

/** The events of a stream of OpenAI's or Anthropic's, without OpenAI's last word. */
export async function* events(response) {
  let rest = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + part).split("\n\n");
    rest = parts.pop();
    for (const each of parts) {
      const data = /^data: (.*)$/m.exec(each)?.[1];
      if (data !== undefined && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}
