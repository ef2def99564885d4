import { homedir } from "node:os";
import { resolve } from "node:path";

/** The host's rules for paths. */
export { dirname, join } from "node:path";

/** An absolute path; a leading `~` is the user's home folder. */
export function absolutePath(path: string): string {
  return resolve(path.replace(/^~(?=$|[/\\])/, () => homedir()));
}
