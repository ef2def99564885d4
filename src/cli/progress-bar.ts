import type { Terminal } from "./terminal.js";

/** Shows the progress of a long operation. */
export interface ProgressBar {
  update(doneBytes: number, totalBytes: number): void;
  /** Takes the bar off the terminal. */
  stop(): void;
}

/** Shorter operations show no bar. */
const patienceMs = 300;

/** A bar on standard error with speed and time left. Does nothing if standard error is not a terminal. */
export async function createProgressBar(terminal: Terminal, label: string): Promise<ProgressBar> {
  const stream = terminal.progressStream;
  if (stream === undefined) return { update: () => undefined, stop: () => undefined };
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: `${label} {bar} {percentage}% | {megabytes} | {speed} | {eta_formatted} left`,
    barsize: 24,
    // The time left comes from so many updates. Disks take large files in bursts.
    etaBuffer: 500,
    stream,
    clearOnComplete: true,
    // The terminal handles Ctrl-C: it ends the command, and the command stops the bar.
    gracefulExit: false,
    // Cut to the terminal's width. Switching line wrapping off would outlive a killed process.
    linewrap: true,
  });
  const startedMs = performance.now();
  let startBytes: number | undefined;
  return {
    update(doneBytes, totalBytes): void {
      // Bytes of an earlier run do not count for the speed.
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
