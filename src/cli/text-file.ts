import { BitNetError } from "../errors.js";
import { openFileSource } from "../platform/node.js";

/** Larger than any text to evaluate: a larger file is probably the wrong one. */
const maxBytes = 64 * 2 ** 20;

/**
 * Reads a whole file of UTF-8, or of UTF-16 with a byte order mark.
 * @throws BitNetError FILE_NOT_FOUND, FILE_READ; INVALID_ARGUMENT if it is too long; FILE_CORRUPT if it is
 *   not text.
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
    return decodeText(await source.read(0, source.size), `"${path}"`);
  } finally {
    await source.close();
  }
}

/**
 * The text of bytes. A byte order mark of UTF-8 stays a character, as in llama.cpp; one of UTF-16, which
 * PowerShell writes, chooses that encoding.
 *
 * @param what where the bytes come from, for the message
 * @throws BitNetError FILE_CORRUPT with the offset of the first byte that is not text.
 */
export function decodeText(bytes: Uint8Array, what: string): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  // Invalid UTF-8 has become U+FFFD. Evaluating that would be silently wrong.
  if (!text.includes("\ufffd")) return text;
  const again = new TextEncoder().encode(text);
  const offset = again.findIndex((byte, index) => byte !== bytes[index]);
  if (offset < 0) return text;
  throw new BitNetError("FILE_CORRUPT", `Cannot read ${what}: it is not UTF-8 text, at byte ${offset}`, {
    details: { offset },
  });
}
