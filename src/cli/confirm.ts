import { createInterface } from "node:readline/promises";
import { throwIfAborted } from "../errors.js";
import type { Terminal } from "./terminal.js";

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Asks on the terminal; anything but y or yes, also the end of input, is no. */
export async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  // The terminal's own line editing is enough, and Ctrl-C stays a signal.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
    const answer = await Promise.race([
      lines.question(`${question} [y/N] `, { signal: terminal.signal }),
      ended,
    ]);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    throwIfAborted(terminal.signal);
    throw error;
  } finally {
    lines.close();
  }
}
