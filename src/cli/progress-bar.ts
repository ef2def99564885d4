import type { Terminal } from "./terminal.js";

/** Shows how far something long has come. */
export interface ProgressBar {
  update(doneBytes: number, totalBytes: number): void;
  /** Takes the bar off the terminal. */
  stop(): void;
}

/** What takes less is over before anyone has read a bar. */
const patienceMs = 300;

/** A bar on standard error with speed and time left; one that does nothing where that is no terminal. */
export async function createProgressBar(terminal: Terminal, label: string): Promise<ProgressBar> {
  const stream = terminal.progressStream;
  if (stream === undefined) return { update: () => undefined, stop: () => undefined };
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: `${label} {bar} {percentage}% | {megabytes} | {speed} | {eta_formatted} left`,
    barsize: 24,
    stream,
    clearOnComplete: true,
    // Ctrl-C is the terminal's: it ends the command, which stops the bar.
    gracefulExit: false,
    // Cut to the terminal's width instead of switching its line wrapping off, which a killed process would leave so.
    linewrap: true,
  });
  const startedMs = performance.now();
  let startBytes: number | undefined;
  return {
    update(doneBytes, totalBytes): void {
      // What was there before says nothing about speed.
      startBytes ??= doneBytes;
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs < patienceMs) return;
      const payload = {
        megabytes: `${(doneBytes / 1e6).toFixed(0)}/${(totalBytes / 1e6).toFixed(0)} MB`,
        speed: `${(Math.max(0, doneBytes - startBytes) / 1e3 / elapsedMs).toFixed(0)} MB/s`,
      };
      if (bar.isActive) bar.update(doneBytes, payload);
      else bar.start(totalBytes, doneBytes, payload);
    },
    stop: () => bar.stop(),
  };
}
