import { createInterface } from "node:readline/promises";
import { throwIfAborted } from "../errors.js";
import type { Terminal } from "./terminal.js";

/** Whether a user can answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Asks on the terminal. Only "y" and "yes" mean yes; the end of input means no. */
export async function confirm(question: string, terminal: Terminal): Promise<boolean> {
  // Not in readline's terminal mode, so that Ctrl-C stays a signal.
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
