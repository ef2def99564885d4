import type { Terminal } from "./terminal.js";

/** Shows the number of finished items and the result so far. */
export interface CountBar {
  update(done: number, total: number, figure: string): void;
  /** Takes the bar off the terminal. */
  stop(): void;
}

/** A bar on standard error with the time left. Does nothing if standard error is not a terminal. */
export async function createCountBar(terminal: Terminal, label: string, unit: string): Promise<CountBar> {
  const stream = terminal.progressStream;
  if (stream === undefined) return { update: () => undefined, stop: () => undefined };
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: `${label} {bar} {value}/{total} ${unit} | {figure} | {eta_formatted} left`,
    barsize: 24,
    stream,
    clearOnComplete: true,
    // The terminal handles Ctrl-C: it ends the command, and the command stops the bar.
    gracefulExit: false,
    // Cut to the terminal's width. Switching line wrapping off would outlive a killed process.
    linewrap: true,
  });
  return {
    update(done, total, figure): void {
      if (bar.isActive) bar.update(done, { figure });
      else bar.start(total, done, { figure });
    },
    stop: () => bar.stop(),
  };
}
