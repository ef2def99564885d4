import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The script of `bitnet`. */
export const mainScript = fileURLToPath(new URL("../../dist/node/bitnet.js", import.meta.url));

/** A command's output and exit. */
export interface CliResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** Starts `bitnet` with pipes for all three streams. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [mainScript, ...args], { env: { ...process.env, ...env } });
}

/** Collects a command's output until it ends. */
export function finishCli(child: ChildProcessWithoutNullStreams): Promise<CliResult> {
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ stdout, stderr, status }));
  });
}

/** Runs `bitnet` to its end, with a text on its standard input. */
export function runCli(
  args: readonly string[],
  input = "",
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const child = startCli(args, env);
  // A command that does not read its input may end before the write.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  return finishCli(child);
}
