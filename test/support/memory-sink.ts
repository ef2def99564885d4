import type { FileSink } from "#dist/platform/file-sink.js";

export interface MemorySink extends FileSink {
  /** The committed bytes. Undefined before the commit. */
  readonly committed: () => Uint8Array | undefined;
  readonly discarded: () => boolean;
}

/** A sink that keeps its bytes in memory. */
export function memorySink(): MemorySink {
  const chunks: Uint8Array[] = [];
  let committed: Uint8Array | undefined;
  let discarded = false;
  return {
    name: "memory",
    async write(bytes) {
      chunks.push(bytes.slice());
    },
    async commit() {
      committed = new Uint8Array(Buffer.concat(chunks));
    },
    async discard() {
      discarded = true;
    },
    committed: () => committed,
    discarded: () => discarded,
  };
}
