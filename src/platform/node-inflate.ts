import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";

/** Decompresses bytes in the format DEFLATE. */
export const inflate: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>> =
  promisify(inflateRaw);
