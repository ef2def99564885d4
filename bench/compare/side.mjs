// A side's process, as the comparison sees it.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/**
 * Starts a side and waits until its model is loaded.
 *
 * @param side its command, and the settings for its start: { id, script, command, args, settings }
 * @throws Error if it ends before that.
 */
export async function startSide({ id, script, command, args, settings }) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(command, [...args, file, JSON.stringify(settings)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(`it ended with ${signal ?? `status ${code}`}`));
  });
  // A process that is gone is noticed where its answer is awaited.
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function next() {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${id}: ${await ended}`);
      // Native code may print what it likes.
      const answer = value.startsWith("{") ? JSON.parse(value) : undefined;
      if (answer === undefined) console.error(`${id}: ${value}`);
      else if (answer.error !== undefined) throw new Error(`${id}: ${answer.error}`);
      else return answer;
    }
  }

  try {
    const { ready } = await next();
    return {
      ready,
      async measure(order) {
        child.stdin.write(`${JSON.stringify(order)}\n`);
        return (await next()).value;
      },
      async stop() {
        child.stdin.end(`${JSON.stringify({ kind: "stop" })}\n`);
        await ended;
      },
      kill: () => child.kill(),
    };
  } catch (error) {
    child.kill();
    throw error;
  }
}
