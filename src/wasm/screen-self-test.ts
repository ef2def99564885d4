import { type DotForm, int8Kernel, int8PairsKernel } from "./dot-forms.js";
import type { Kernels } from "./kernels.js";
import { bestTime, createOperandNumbers } from "./matmul-self-test.js";
import type { Memories } from "./memory.js";

/** The matmul of int8 rows, or the one that takes 32 columns a step. */
type Kind = "plain" | "pairs";

/** Runs matmuls of int8 rows on operands of its own, to check and to time them. */
export interface ScreenSelfTest {
  /** Whether a matmul gives the bits of the plain one in form i8. */
  correct(kernels: Kernels, kind: Kind, form: DotForm): boolean;
  /** Shortest time of one matmul in ms, as FormSelfTest.time. */
  time(kernels: Kernels, kind: Kind, form: DotForm, forMilliseconds: number): number;
  free(): void;
}

/** With leftovers of rows and of columns. */
const [rows, cols, tokens] = [71, 2544, 7];

/** Takes 200 kB of region 0 until `free`. */
export function createScreenSelfTest(memories: Memories): ScreenSelfTest {
  const region = 0;
  const takeView = (bytes: number): Uint8Array<SharedArrayBuffer> =>
    memories.view({ region, address: memories.allocate(region, bytes, "the self-test") }, bytes);
  const weights = takeView(rows * cols);
  const records = takeView(rows * 8);
  const x = takeView(tokens * cols * 2);
  const scales = takeView(tokens * 4);
  const output = takeView(tokens * rows * 4);
  const scratch = takeView(256);
  const next = createOperandNumbers();
  weights.forEach((_, i) => (weights[i] = next(256)));
  // The extremes first: an instruction that saturates or wraps shows there.
  x.forEach((_, i) => (x[i] = i < 256 ? 127 : next(128)));
  for (const { buffer, byteOffset, byteLength } of [records, scales])
    new Float32Array(buffer, byteOffset, byteLength / 4).fill(1);

  function multiply(kernels: Kernels, kind: Kind, form: DotForm): void {
    const operands = [weights, records].map(({ byteOffset }) => byteOffset) as [number, number];
    const shape = [
      cols,
      0,
      rows,
      x.byteOffset,
      scales.byteOffset,
      tokens,
      output.byteOffset,
      rows * 4,
    ] as const;
    if (kind === "plain") int8Kernel(kernels, form)(...operands, ...shape, 1, 0);
    else int8PairsKernel(kernels, form)(...operands, ...shape, scratch.byteOffset, 1, 0);
  }
  function result(kernels: Kernels, kind: Kind, form: DotForm): Uint8Array {
    output.fill(0xff);
    multiply(kernels, kind, form);
    return new Uint8Array(output);
  }

  return {
    correct(kernels, kind, form): boolean {
      const expected = result(kernels, "plain", "i8");
      return result(kernels, kind, form).every((byte, i) => byte === expected[i]);
    },
    time: (kernels, kind, form, forMilliseconds) =>
      bestTime(forMilliseconds, () => multiply(kernels, kind, form)),
    free(): void {
      for (const { byteOffset } of [weights, records, x, scales, output, scratch])
        memories.free(region, byteOffset);
    },
  };
}
