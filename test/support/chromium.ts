import { chromium, type Browser } from "playwright-core";
import { findProgram } from "./find-program.js";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path in CHROMIUM, or the first Chromium in PATH. Undefined if neither exists. */
export function findChromium(): string | undefined {
  return findProgram("CHROMIUM", names);
}

export function startChromium(executablePath: string, flags: readonly string[] = []): Promise<Browser> {
  // Containers run as root, and the sandbox refuses to work for root.
  const args = process.getuid?.() === 0 ? ["--no-sandbox", ...flags] : [...flags];
  return chromium.launch({ executablePath, args });
}
