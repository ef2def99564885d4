import { addAbortSignal } from "node:stream";
import { BitNetError, throwIfAborted } from "../errors.js";
import { openFileSource } from "../platform/node.js";
import { decodeText } from "./text-file.js";

/** Far beyond any context: a longer prompt is a mistake. */
const maxBytes = 16 * 2 ** 20;

/** The sources of a prompt: `-p`, else `-f`, else standard input unless it is a terminal. */
export interface PromptFlags {
  readonly prompt?: string;
  readonly file?: string;
}

/** @throws BitNetError INVALID_ARGUMENT without a prompt, or if it is too long. */
export async function readPrompt({ prompt, file }: PromptFlags, signal: AbortSignal): Promise<string> {
  if (prompt !== undefined) return prompt;
  const text = await readText(file, signal);
  if (file === undefined && text === "") {
    throw new BitNetError("INVALID_ARGUMENT", 'There is no prompt: give one with -p "text", or pipe it in');
  }
  return text;
}

/** The text of a file, or of standard input without a path. Empty if standard input is a terminal. */
export async function readText(path: string | undefined, signal: AbortSignal): Promise<string> {
  const bytes = path === undefined ? await readStandardInput(signal) : await readFile(path);
  // `echo` and editors add a line break at the end. It does not belong to the prompt.
  return decodeText(bytes, path === undefined ? "standard input" : `"${path}"`).replace(/\r?\n$/, "");
}

async function readFile(path: string): Promise<Uint8Array> {
  const source = await openFileSource(path);
  try {
    requireShort(source.size);
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

async function readStandardInput(signal: AbortSignal): Promise<Uint8Array> {
  if (process.stdin.isTTY) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of addAbortSignal(signal, process.stdin)) {
      const read = chunk as Uint8Array;
      chunks.push(read);
      bytes += read.length;
      requireShort(bytes);
    }
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof BitNetError) throw cause;
    throw new BitNetError("FILE_READ", "Cannot read the prompt from standard input", { cause });
  }
  return Buffer.concat(chunks);
}

function requireShort(bytes: number): void {
  if (bytes <= maxBytes) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `The prompt is too long: at most ${maxBytes / 2 ** 20} MiB of text are read`,
  );
}
