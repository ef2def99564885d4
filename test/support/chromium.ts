import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path in CHROMIUM, or the first Chromium in PATH. Undefined if neither exists. */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM;
  if (named !== undefined && named !== "") return named;
  const folders = (process.env.PATH ?? "").split(delimiter);
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

export function startChromium(executablePath: string, flags: readonly string[] = []): Promise<Browser> {
  // Containers run as root, and the sandbox refuses to work for root.
  const args = process.getuid?.() === 0 ? ["--no-sandbox", ...flags] : [...flags];
  return chromium.launch({ executablePath, args });
}
