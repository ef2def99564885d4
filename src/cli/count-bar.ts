import type { Terminal } from "./terminal.js";

/** Shows how many of many equal things are done, and a figure so far. */
export interface CountBar {
  update(done: number, total: number, figure: string): void;
  /** Takes the bar off the terminal. */
  stop(): void;
}

/** A bar on standard error with the time left; one that does nothing where that is no terminal. */
export async function createCountBar(terminal: Terminal, label: string, unit: string): Promise<CountBar> {
  const stream = terminal.progressStream;
  if (stream === undefined) return { update: () => undefined, stop: () => undefined };
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: `${label} {bar} {value}/{total} ${unit} | {figure} | {eta_formatted} left`,
    barsize: 24,
    stream,
    clearOnComplete: true,
    // Ctrl-C is the terminal's: it ends the command, which stops the bar.
    gracefulExit: false,
    // Cut to the terminal's width instead of switching its line wrapping off, which a killed process would leave so.
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
