import { attentionPositions, attentionScratchBytes, type Kernels } from "./kernels.js";
import { bestTime, createOperandNumbers } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/** Runs attention on operands of its own, to compare two copies of the kernels and to time one. */
export interface AttentionSelfTest {
  /**
   * Whether both give the same bits, for groups of 4, 2 and 1 heads, and for whole and partial blocks of
   * positions.
   */
  agree(one: Kernels, other: Kernels): boolean;
  /** Shortest time of one call in ms, while the engine optimises it for about `forMilliseconds`. */
  time(kernels: Kernels, forMilliseconds: number): number;
  free(): void;
}

const heads = 7;
const headSize = 128;
/** More than one block of values (assembly/kernels/attention), and a multiple of no vector size. */
const positions = 301;

/** Takes 200 kB of region 0 until `free`. */
export function createAttentionSelfTest(memories: Memories): AttentionSelfTest {
  const region = 0;
  const take = (bytes: number): number => memories.allocate(region, bytes, "the self-test");
  const view = (address: number, bytes: number): Uint8Array<SharedArrayBuffer> =>
    memories.view({ region, address }, bytes);
  const rowBytes = heads * headSize * 4;
  const cacheBytes = positions * headSize * 2;
  const [query, output] = [take(rowBytes), take(rowBytes)];
  const [keys, values] = [take(cacheBytes), take(cacheBytes)];
  const scratchPositions = attentionPositions(positions);
  const scratch = take(attentionScratchBytes(headSize, scratchPositions));

  // Halves of ±0.5 to ±2, and queries that make scores both small and large.
  const next = createOperandNumbers();
  for (const address of [keys, values]) {
    const bytes = view(address, cacheBytes);
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, cacheBytes / 2);
    for (let i = 0; i < halves.length; i += 1) halves[i] = 0x3800 + next(0x800) + next(2) * 0x8000;
  }
  const queryBytes = view(query, rowBytes);
  const queries = new Float32Array(queryBytes.buffer, queryBytes.byteOffset, heads * headSize);
  for (let i = 0; i < queries.length; i += 1) queries[i] = next(4096) / 2048 - 1;

  function attend(kernels: Kernels, headCount: number, position: number): void {
    // prettier-ignore
    kernels.attention(
      query, rowBytes, keys, values, headSize, headCount, position, 1, positions, 1 / 12, scratch, scratchPositions,
      output, rowBytes,
    );
  }
  function result(kernels: Kernels, position: number): Uint8Array {
    const bytes = view(output, rowBytes);
    bytes.fill(0xff);
    attend(kernels, heads, position);
    return new Uint8Array(bytes);
  }

  return {
    agree: (one, other) =>
      [positions - 1, 255, 0].every((position) => {
        const expected = result(one, position);
        return result(other, position).every((byte, i) => byte === expected[i]);
      }),
    time(kernels, forMilliseconds): number {
      return bestTime(forMilliseconds, () => attend(kernels, 4, positions - 1));
    },
    free(): void {
      for (const address of [query, output, keys, values, scratch]) memories.free(region, address);
    },
  };
}
