import { BitNetError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import type { Folder } from "./folder.js";
import { allocateBytes, requireRange } from "./ranges.js";

/**
 * A source over bytes in memory. They are not copied: changing them changes the file.
 *
 * @param name name for messages
 */
export function bytesSource(bytes: Uint8Array, name = "memory"): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      requireRange(name, bytes.length, offset, length);
      const target = allocateBytes(name, length);
      target.set(bytes.subarray(offset, offset + length));
      return target;
    },
    async readInto(offset, target) {
      requireRange(name, bytes.length, offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    readIntoNow(offset, target) {
      requireRange(name, bytes.length, offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async close() {},
  };
}

/** A slice becomes a buffer in JavaScript memory, so a large read goes in pieces of this size. */
const blobPieceBytes = 8 * 2 ** 20;

/**
 * A source over a Blob or File, from a browser or `fs.openAsBlob`. Its bytes stay where the host keeps them.
 *
 * @param name name for messages, default the File's own name
 */
export function blobSource(blob: Blob, name: string = fileName(blob)): ByteSource {
  const source: ByteSource = {
    name,
    size: blob.size,
    async read(offset, length) {
      requireRange(name, blob.size, offset, length);
      const target = allocateBytes(name, length);
      await source.readInto(offset, target);
      return target;
    },
    async readInto(offset, target) {
      requireRange(name, blob.size, offset, target.length);
      for (let done = 0; done < target.length;) {
        const begin = offset + done;
        const end = Math.min(begin + blobPieceBytes, offset + target.length);
        const piece = await readSlice(blob, name, begin, end);
        target.set(piece, done);
        done += piece.length;
      }
    },
    async close() {},
  };
  return source;
}

async function readSlice(blob: Blob, name: string, begin: number, end: number): Promise<Uint8Array> {
  let piece: Uint8Array;
  try {
    piece = new Uint8Array(await blob.slice(begin, end).arrayBuffer());
  } catch (cause) {
    throw new BitNetError("FILE_READ", `Cannot read "${name}" at byte ${begin}: ${String(cause)}`, {
      cause,
      details: { offset: begin },
    });
  }
  if (piece.length === end - begin) return piece;
  throw new BitNetError(
    "FILE_READ",
    `Cannot read "${name}" at byte ${begin}: the host gave ${piece.length} of ${end - begin} bytes`,
    { details: { offset: begin } },
  );
}

function fileName(blob: Blob): string {
  const { name } = blob as { name?: unknown };
  return typeof name === "string" && name !== "" ? name : "blob";
}

/** A folder of files in memory. */
export function memoryFolder(files: ReadonlyMap<string, Uint8Array>, name = "memory"): Folder {
  return {
    name,
    files: new Set(files.keys()),
    async open(file) {
      const bytes = files.get(file);
      if (bytes !== undefined) return bytesSource(bytes, `${name}/${file}`);
      throw new BitNetError("FILE_NOT_FOUND", `Cannot open "${file}": "${name}" has no such file`, {
        details: { path: file },
      });
    },
  };
}
