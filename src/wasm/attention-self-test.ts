import { type AttentionForm, type CacheType, int8Attention } from "./cache-types.js";
import type { DotForm } from "./dot-forms.js";
import type { KernelBuild } from "./kernel-build.js";
import { attentionPositions, attentionScratchBytes, type Kernels } from "./kernels.js";
import { bestTime, createOperandNumbers } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/** Runs attention on operands of its own, to compare copies and forms of the kernels and to time one. */
export interface AttentionSelfTest {
  /**
   * The form to use: i32 where it gives the bits of i8, before and after the engine has optimised it. It was
   * faster on every engine that has it. A cache of halves has no forms: then i8.
   */
  chooseForm(build: KernelBuild, kernels: Kernels, wanted: DotForm | undefined): AttentionForm;
  /**
   * Whether both give the same bits, for groups of 4, 2 and 1 heads, and for whole and partial blocks of
   * positions.
   */
  agree(one: AttentionRun, other: AttentionRun): boolean;
  /** Shortest time of one call in ms, while the engine optimises it for about `forMilliseconds`. */
  time(run: AttentionRun, forMilliseconds: number): number;
  free(): void;
}

/** Kernels, and the form for a cache of int8. */
export interface AttentionRun {
  readonly kernels: Kernels;
  readonly form: AttentionForm;
}

/** Time for a form: the engine's optimiser needs some of it. */
const formMilliseconds = 12;

const heads = 7;
const headSize = 128;
const rowBytes = heads * headSize * 4;
/** More than two blocks of values (assembly/kernels), and a multiple of no vector size. */
const positions = 301;
const cachePositions = attentionPositions(positions);
/** Of each of the two caches; enough for all types. */
const cacheBytes = cachePositions * headSize * 2;

/** Takes 300 kB of region 0 until `free`. */
export function createAttentionSelfTest(memories: Memories, cacheType: CacheType): AttentionSelfTest {
  const region = 0;
  const take = (bytes: number): number => memories.allocate(region, bytes, "the self-test");
  const view = (address: number, bytes: number): Uint8Array<SharedArrayBuffer> =>
    memories.view({ region, address }, bytes);
  const floats = (address: number, count: number): Float32Array => {
    const bytes = view(address, count * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  };
  const [query, output] = [take(rowBytes), take(rowBytes)];
  const [keys, values] = [take(cacheBytes), take(cacheBytes)];
  const scratch = take(attentionScratchBytes(headSize, cachePositions));

  // Keys and values of ±0.5 to ±2, and queries that make scores both small and large.
  const next = createOperandNumbers();
  floats(query, heads * headSize).forEach((_, i, all) => (all[i] = next(4096) / 2048 - 1));
  let isFilled = false;
  function fill(kernels: Kernels): void {
    if (isFilled) return;
    isFilled = true;
    const head = take(headSize * 4);
    for (const [to, storeInt8] of [
      [keys, kernels.store_keys_int8],
      [values, kernels.store_values_int8],
    ] as const) {
      for (let position = 0; position < positions; position += 1) {
        floats(head, headSize).forEach(
          (_, i, all) => (all[i] = (0.5 + next(1536) / 1024) * (1 - 2 * next(2))),
        );
        if (cacheType === "int8")
          storeInt8(head, 1, 0, 0, 1, headSize, to, cacheBytes, cachePositions, position);
        else kernels.store_heads_f16(head, 1, 0, 0, 1, headSize, to + position * headSize * 2, 0, 0);
      }
    }
    memories.free(region, head);
  }

  function attend({ kernels, form }: AttentionRun, headCount: number, position: number): void {
    fill(kernels);
    const shape = [headSize, headCount, position, 1, positions, 1 / 12, scratch, cachePositions] as const;
    if (cacheType === "f16") kernels.attention(query, rowBytes, keys, values, ...shape, output, rowBytes);
    else
      int8Attention(kernels, form)(query, rowBytes, keys, values, cachePositions, ...shape, output, rowBytes);
  }
  function result(run: AttentionRun, position: number): Uint8Array {
    const bytes = view(output, rowBytes);
    bytes.fill(0xff);
    attend(run, heads, position);
    return new Uint8Array(bytes);
  }

  const selfTest: AttentionSelfTest = {
    chooseForm(build, kernels, wanted): AttentionForm {
      if (cacheType === "f16" || build === "simd128" || wanted === "i8") return "i8";
      const forms = (["i8", "i32"] as const).map((form) => ({ kernels, form }));
      const [i8, i32] = forms as [AttentionRun, AttentionRun];
      if (!selfTest.agree(i8, i32)) return "i8";
      selfTest.time(i32, formMilliseconds);
      return selfTest.agree(i8, i32) ? "i32" : "i8";
    },
    agree: (one, other) =>
      [positions - 1, 255, 0].every((position) => {
        const expected = result(one, position);
        return result(other, position).every((byte, i) => byte === expected[i]);
      }),
    time: (run, forMilliseconds) => bestTime(forMilliseconds, () => attend(run, 4, positions - 1)),
    free(): void {
      for (const address of [query, output, keys, values, scratch]) memories.free(region, address);
    },
  };
  return selfTest;
}
