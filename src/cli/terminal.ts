import { BitNetError } from "../errors.js";

/** What a command may do with the process that it runs in. */
export interface Terminal {
  /** Fires on Ctrl-C, on SIGTERM and when nobody reads standard output any more. */
  readonly signal: AbortSignal;
  /** Writes to standard output: what the command is for. */
  write(text: string): void;
  /** Writes a line to standard error: what a person may want to know besides. */
  note(line: string): void;
  /** Says that the command has done what it was for, although it was stopped: its exit status is 0. */
  succeed(): void;
  /** Standard error where it is a terminal; undefined where it is a file or a pipe, which want no progress bars. */
  readonly progressStream: NodeJS.WritableStream | undefined;
}

/** A terminal and what ended its use. */
export interface ProcessTerminal extends Terminal {
  /**
   * Waits until everything written has left the process.
   * @returns the exit status where something from outside stopped the command, undefined where it ended by itself.
   * @throws BitNetError FILE_WRITE if standard output could not be written.
   */
  settle(): Promise<number | undefined>;
}

/** Exit statuses as shells give them: 128 and the signal's number. */
const stopSignals = { SIGINT: 130, SIGTERM: 143 } as const;

/** Takes over signals and output errors of this process. To be called once. */
export function openTerminal(): ProcessTerminal {
  const controller = new AbortController();
  let stopped: { readonly status: number } | { readonly failure: BitNetError } | undefined;
  function stop(how: NonNullable<typeof stopped>, why: BitNetError): void {
    stopped ??= how;
    controller.abort(why);
  }

  for (const [name, status] of Object.entries(stopSignals)) {
    // Once: the second Ctrl-C meets the host's own handler, which ends the process there and then.
    process.once(name, () => stop({ status }, new BitNetError("ABORTED", `Stopped by ${name}`)));
  }
  process.stdout.on("error", (cause: Error & { readonly code?: string }) => {
    const failure = new BitNetError("FILE_WRITE", `Cannot write to standard output: ${cause.message}`, {
      cause,
    });
    // The reader has seen enough, as `head` does after ten lines: no failure.
    stop(cause.code === "EPIPE" ? { status: 0 } : { failure }, failure);
  });
  // There is nowhere to report this to.
  process.stderr.on("error", () => undefined);

  return {
    signal: controller.signal,
    progressStream: process.stderr.isTTY ? process.stderr : undefined,
    write(text): void {
      process.stdout.write(text);
    },
    note(line): void {
      // After `| head` has had its ten lines, silence is what is wanted.
      if (stopped === undefined || !("status" in stopped) || stopped.status !== 0)
        process.stderr.write(`${line}\n`);
    },
    succeed(): void {
      if (stopped !== undefined && "status" in stopped) stopped = { status: 0 };
    },
    async settle(): Promise<number | undefined> {
      await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
      if (stopped === undefined) return undefined;
      if ("failure" in stopped) throw stopped.failure;
      return stopped.status;
    },
  };
}
