import type { Command } from "commander";
import type { Terminal } from "./terminal.js";

/** One line of the command table. */
export interface CliCommand {
  readonly name: string;
  /** One phrase for the list of commands. */
  readonly summary: string;
  /** Adds arguments, flags, help and the action to a fresh command. */
  define(command: Command, terminal: Terminal): void;
}
