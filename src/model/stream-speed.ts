import type { ModelDescription } from "../architectures/description.js";
import type { TensorInfo } from "../files/model-file.js";
import type { Packing } from "../packing/packing.js";
import { pageBytes as wasmPageBytes } from "../wasm/memory.js";
import type { LayerRing } from "./layer-ring.js";
import { matrixRolesOf } from "./weight-plan.js";

/** Layers that are read from disk in every pass, and the cost of that. */
export interface StreamInfo {
  /** Number of layers that are read in every pass. The others stay in memory. */
  readonly layers: number;
  /** Bytes of the file that every pass reads. */
  readonly bytesPerPass: number;
  /** Bytes of all tensors of the file. */
  readonly tensorBytes: number;
  /**
   * Measured speed of reading and packing. Reading is measured without the host's cache where the host allows
   * that, as on Linux.
   */
  readonly bytesPerSecond: number;
  /**
   * Estimate for generation: passes that can be read in a second. Computing goes on meanwhile. It is faster
   * if the host caches the file.
   */
  readonly tokensPerSecond: number;
}

const pieceBytes = 4 << 20;
/** Offsets and addresses of reads past the cache are multiples of this. */
const pageBytes = 4096;
/** As many as the host's thread pool has threads. */
const readers = 4;
const maxPieces = 64;
const maxMs = 1000;

/** Measures the speed of the streamed layers. One of them is read for that, and pieces of the others. */
export async function measureStream(
  packing: Packing,
  description: ModelDescription,
  ring: LayerRing,
): Promise<StreamInfo> {
  const { file } = packing;
  const { layers, bytesPerPass } = ring.plan;
  const tensors = layers
    .flatMap((index) => matrixRolesOf(layerOf(description, index)))
    .flatMap(({ tensor }) => file.tensors.get(tensor) ?? []);
  const packingSpeed = await measurePacking({ ...packing, onBytes: () => undefined }, ring);
  const bytesPerSecond = Math.min(packingSpeed, await measureReading(tensors, packing.signal));
  return {
    layers: layers.length,
    bytesPerPass,
    tensorBytes: [...file.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    bytesPerSecond,
    tokensPerSecond: bytesPerSecond / bytesPerPass,
  };
}

function layerOf({ layers }: ModelDescription, index: number): ModelDescription["layers"][number] {
  const layer = layers[index];
  if (layer === undefined) throw new RangeError(`no layer ${index}`);
  return layer;
}

/** Bytes per second of packing a layer, once its bytes are in the host's cache. */
async function measurePacking(packing: Packing, ring: LayerRing): Promise<number> {
  const { layers, bytesPerPass } = ring.plan;
  const [first = 0] = layers;
  await ring.pack(packing, first);
  const startedMs = performance.now();
  await ring.pack(packing, first);
  return bytesPerPass / layers.length / seconds(startedMs);
}

/** Bytes per second of reading pieces that are spread over the tensors. */
async function measureReading(
  tensors: readonly TensorInfo[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const all = tensors.flatMap((tensor) =>
    Array.from({ length: Math.ceil(tensor.bytes / pieceBytes) }, (_, index) => ({
      source: tensor.source,
      begin: Math.floor((tensor.offset + index * pieceBytes) / pageBytes) * pageBytes,
      end: Math.min(
        tensor.source.size,
        tensor.offset + tensor.bytes,
        tensor.offset + (index + 1) * pieceBytes,
      ),
    })),
  );
  const step = Math.max(1, all.length / maxPieces);
  const pieces = Array.from(
    { length: Math.min(all.length, maxPieces) },
    (_, index) => all[Math.floor(index * step)],
  );
  const pages = (readers * pieceBytes) / wasmPageBytes;
  // It begins at a whole page, unlike buffers of JavaScript.
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  let bytes = 0;
  const startedMs = performance.now();
  const read = async (_: unknown, reader: number): Promise<void> => {
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      signal?.throwIfAborted();
      const { source, begin, end } = piece;
      const wholePages = Math.floor((end - begin) / pageBytes) * pageBytes;
      const target = new Uint8Array(
        buffer,
        reader * pieceBytes,
        Math.min(pieceBytes, wholePages || end - begin),
      );
      if (wholePages > 0 && source.readUncached !== undefined) await source.readUncached(begin, target);
      else await source.readInto(begin, target);
      bytes += target.length;
      if (performance.now() - startedMs > maxMs) return;
    }
  };
  await Promise.all(Array.from({ length: readers }, read));
  return bytes / seconds(startedMs);
}

function seconds(startedMs: number): number {
  return Math.max(0.001, performance.now() - startedMs) / 1000;
}
