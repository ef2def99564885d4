import { BitNetError } from "../errors.js";

/** A command's view of its process. */
export interface Terminal {
  /** Fires on Ctrl-C, on SIGTERM and on an error of standard output, such as a closed pipe. */
  readonly signal: AbortSignal;
  /** Writes the command's result to standard output. */
  write(text: string): void;
  /** Writes a line to standard error: additional facts for a person. */
  note(line: string): void;
  /** Marks a stopped command as successful: its exit status is 0. */
  succeed(): void;
  /** Standard error if it is a terminal. Undefined for a file or a pipe: they get no progress bars. */
  readonly progressStream: NodeJS.WritableStream | undefined;
}

/** A terminal, and the end of its use. */
export interface ProcessTerminal extends Terminal {
  /**
   * Waits until everything written has left the process.
   * @returns the exit status of a command that a signal or a closed output stopped. Undefined if it ended by
   *   itself.
   * @throws BitNetError FILE_WRITE if standard output could not be written.
   */
  settle(): Promise<number | undefined>;
}

/** Exit statuses as shells give them: 128 and the signal's number. */
const stopSignals = { SIGINT: 130, SIGTERM: 143 } as const;

/** Takes over signals and output errors of this process. Call it once. */
export function openTerminal(): ProcessTerminal {
  const controller = new AbortController();
  let stopped: { readonly status: number } | { readonly failure: BitNetError } | undefined;
  function stop(how: NonNullable<typeof stopped>, why: BitNetError): void {
    stopped ??= how;
    controller.abort(why);
  }

  for (const [name, status] of Object.entries(stopSignals)) {
    // Once: the host handles a second Ctrl-C and ends the process at once.
    process.once(name, () => stop({ status }, new BitNetError("ABORTED", `Stopped by ${name}`)));
  }
  process.stdout.on("error", (cause: Error & { readonly code?: string }) => {
    const failure = new BitNetError("FILE_WRITE", `Cannot write to standard output: ${cause.message}`, {
      cause,
    });
    // The reader closed the pipe, like `head` after ten lines: not a failure.
    stop(cause.code === "EPIPE" ? { status: 0 } : { failure }, failure);
  });
  // Standard error is broken, so this cannot be reported.
  process.stderr.on("error", () => undefined);

  return {
    signal: controller.signal,
    progressStream: process.stderr.isTTY ? process.stderr : undefined,
    write(text): void {
      process.stdout.write(text);
    },
    note(line): void {
      // After `| head` has its ten lines, print nothing more.
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
