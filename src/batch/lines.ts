import { BitNetError } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";

/** A file with a longer line is probably not JSON Lines. Thousands of embeddings make the longest results. */
const maxLineBytes = 256 * 2 ** 20;
const pieceBytes = 2 ** 20;

/** A line of a file that is not blank. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Undefined if it is not UTF-8. */
  readonly text: string | undefined;
  /** Whether a line feed ends it. */
  readonly isComplete: boolean;
  /** Offset behind it. */
  readonly end: number;
}

/**
 * Reads a file line by line.
 *
 * @throws BitNetError FILE_READ; INVALID_ARGUMENT for a line that is too long.
 */
export async function* readLines(source: ByteSource): AsyncGenerator<Line, void, void> {
  let number = 0;
  /** The beginning of a line, in pieces. */
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  const take = (last: Uint8Array, { isComplete }: { readonly isComplete: boolean }): string | undefined => {
    const bytes = joined([...begun, last], begunBytes + last.length);
    begun = [];
    begunBytes = 0;
    number += 1;
    try {
      // The decoder drops a byte order mark. An incomplete line may end within a character.
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !isComplete });
    } catch {
      return undefined;
    }
  };

  for (let offset = 0; offset < source.size; offset += pieceBytes) {
    const piece = await source.read(offset, Math.min(pieceBytes, source.size - offset));
    let begin = 0;
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, begin)) {
      const text = take(piece.subarray(begin, at), { isComplete: true });
      begin = at + 1;
      if (text?.trim() !== "") yield { number, text, isComplete: true, end: offset + begin };
    }
    begun.push(piece.subarray(begin));
    begunBytes += piece.length - begin;
    if (begunBytes > maxLineBytes) throw tooLong(source.name, number + 1);
  }
  if (begunBytes === 0) return;
  const text = take(new Uint8Array(), { isComplete: false });
  if (text?.trim() !== "") yield { number, text, isComplete: false, end: source.size };
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

function tooLong(name: string, line: number): BitNetError {
  return new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot read "${name}": line ${line} has more than ${maxLineBytes / 2 ** 20} MiB (expected JSON Lines, one request per line)`,
    { details: { line } },
  );
}
