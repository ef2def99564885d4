import { CommanderError } from "commander";
import { BitNetError } from "../errors.js";
import { visible } from "./visible.js";

/** The message and the exit status of a failed command. */
export interface Failure {
  /** Undefined if it has been printed already. */
  readonly line: string | undefined;
  readonly status: number;
}

/** The failure for programs, as one line of JSON. Undefined for --help and --version. */
export function failureRecord(error: unknown): string | undefined {
  if (error instanceof CommanderError && error.exitCode === 0) return undefined;
  const message = error instanceof Error ? error.message.replace(/^error: /, "") : String(error);
  const code =
    error instanceof BitNetError ? error.code : error instanceof CommanderError ? "INVALID_ARGUMENT" : null;
  return JSON.stringify({ error: { code, message } });
}

/** Exit status for invalid flags and arguments. All other failures have status 1. */
const usageStatus = 2;

/**
 * @param flagNames the flag of each library option, so that messages name "--top-p" instead of "topP".
 */
export function describeFailure(error: unknown, flagNames: ReadonlyMap<string, string>): Failure {
  if (error instanceof CommanderError) {
    // commander throws for --help and --version too, with status 0.
    return { line: undefined, status: error.exitCode === 0 ? 0 : usageStatus };
  }
  if (error instanceof BitNetError) {
    return {
      line: withStack(`bitnet: ${error.code}: ${visible(nameFlag(error, flagNames))}`, error),
      status: error.code === "INVALID_ARGUMENT" ? usageStatus : 1,
    };
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const hint = debugging() ? "" : " (BITNET_DEBUG=1 shows the stack)";
  return { line: withStack(`bitnet: unexpected error: ${visible(what)}${hint}`, error), status: 1 };
}

function nameFlag({ message, details }: BitNetError, flagNames: ReadonlyMap<string, string>): string {
  const flag = typeof details.option === "string" ? flagNames.get(details.option) : undefined;
  return flag === undefined ? message : message.replace(/^Invalid (?:option )?\w+/, `Invalid ${flag}`);
}

function withStack(line: string, error: unknown): string {
  if (!debugging() || !(error instanceof Error)) return line;
  const cause = error.cause instanceof Error ? `\ncaused by ${error.cause.stack ?? error.cause.message}` : "";
  return `${line}\n${error.stack ?? ""}${cause}`;
}

function debugging(): boolean {
  return (process.env.BITNET_DEBUG ?? "") !== "";
}
