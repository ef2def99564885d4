import { BitNetError } from "../errors.js";
import { openFileSource } from "../platform/node.js";

/** Larger than any text to evaluate: a larger file is probably the wrong one. */
const maxBytes = 64 * 2 ** 20;

/**
 * Reads a whole file of UTF-8; a byte order mark stays a character.
 * @throws BitNetError FILE_NOT_FOUND, FILE_READ; INVALID_ARGUMENT if it is too long; FILE_CORRUPT if it is
 *   not UTF-8.
 */
export async function readTextFile(path: string): Promise<string> {
  const source = await openFileSource(path);
  try {
    if (source.size > maxBytes) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot read "${path}": it has ${source.size} bytes, and at most ${maxBytes / 2 ** 20} MiB of text are read; give a part of it`,
      );
    }
    return decodeText(await source.read(0, source.size), path);
  } finally {
    await source.close();
  }
}

function decodeText(bytes: Uint8Array, path: string): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  // Invalid UTF-8 has become U+FFFD. Evaluating that would be silently wrong.
  if (!text.includes("\ufffd")) return text;
  const again = new TextEncoder().encode(text);
  const offset = again.findIndex((byte, index) => byte !== bytes[index]);
  if (offset < 0) return text;
  throw new BitNetError("FILE_CORRUPT", `Cannot read "${path}": it is not UTF-8 text, at byte ${offset}`, {
    details: { offset },
  });
}
