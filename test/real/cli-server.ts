import { finishCli, startCli } from "../support/run-cli.js";

/** `bitnet serve` on a free port. */
export interface OpenCli {
  readonly url: string;
  /** Stops it. @returns the exit status. */
  readonly close: () => Promise<number | null>;
}

export async function openCliServer(args: readonly string[]): Promise<OpenCli> {
  const child = startCli(["serve", ...args, "--port", "0", "--threads", "1", "-c", "2048", "--no-log"]);
  const finished = finishCli(child);
  const url = await new Promise<string>((resolve, reject) => {
    let printed = "";
    child.stdout.on("data", (text: string) => {
      printed += text;
      const [, address] = /^Listening on (\S+)\n/.exec(printed) ?? [];
      if (address !== undefined) resolve(address);
    });
    void finished.then(({ stderr }) => reject(new Error(stderr)));
  });
  return {
    url,
    async close(): Promise<number | null> {
      child.kill("SIGTERM");
      return (await finished).status;
    },
  };
}
