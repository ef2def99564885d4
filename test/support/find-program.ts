import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * The path in a variable of the environment, or the first program in PATH. Undefined if neither exists.
 *
 * @param names names of the program, in the order of preference.
 */
export function findProgram(variable: string, names: readonly string[]): string | undefined {
  const named = process.env[variable];
  if (named !== undefined && named !== "") return named;
  // Servers are installed there, and the PATH of most users lacks it.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
