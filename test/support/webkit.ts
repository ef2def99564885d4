import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./find-program.js";

/**
 * The path in WEBKIT, or WebKitGTK's MiniBrowser in the PATH or in Debian's folders. Undefined without
 * it, and without Xvfb.
 */
export function findWebKit(): string | undefined {
  if (findProgram("XVFB", ["Xvfb"]) === undefined) return undefined;
  return findProgram("WEBKIT", ["MiniBrowser"]) ?? debianPaths().find((path) => existsSync(path));
}

/** Debian keeps it out of the PATH, such as in /usr/lib/x86_64-linux-gnu/webkit2gtk-4.1. */
function debianPaths(): string[] {
  return namesIn("/usr/lib", /-linux-gnu/).flatMap((folder) =>
    namesIn(folder, /^webkit2?gtk-/).map((version) => join(version, "MiniBrowser")),
  );
}

function namesIn(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

const olderFeatures = ["+StorageAPI", "+FileSystem", "+AccessHandle"];
const features = { 18: olderFeatures, 26: [...olderFeatures, "+FileSystemWritableStream"] };

/**
 * Opens a page in WebKitGTK's MiniBrowser, on a screen of Xvfb. Nothing drives it: a page posts what it finds
 * out.
 *
 * @param safari the version of Safari whose features are on. By default, WebKitGTK has no storage of
 *   files and no shared memory.
 * @returns a function that ends it.
 */
export async function openInWebKit(
  executable: string,
  url: string,
  safari?: keyof typeof features,
): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), "bitnet-webkit-"));
  // Xvfb chooses a free number and writes it.
  const screen = spawn(findProgram("XVFB", ["Xvfb"]) ?? "Xvfb", ["-displayfd", "1", "-nolisten", "tcp"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [display] = (await once(screen.stdout, "data")) as [Buffer];
  const flags = safari === undefined ? [] : [`--features=${features[safari].join(",")}`];
  const browser = spawn(executable, [...flags, url], {
    stdio: "ignore",
    env: {
      ...process.env,
      DISPLAY: `:${String(display).trim()}`,
      HOME: home,
      XDG_RUNTIME_DIR: home,
      ...(safari !== undefined && { JSC_useSharedArrayBuffer: "1" }),
    },
  });
  return async () => {
    for (const child of [browser, screen]) {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
}
