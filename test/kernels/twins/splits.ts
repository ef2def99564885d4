import type { Kernels } from "#dist/wasm/kernels.js";
import type { AddressOf, Way } from "../kernel-case.js";

/** Rows and tokens of a matmul, or of another kernel with the same division. */
export interface Part {
  readonly rowBegin: number;
  readonly rowEnd: number;
  readonly tokenBegin: number;
  readonly tokenEnd: number;
}

/**
 * Ways to split the work. The first is the whole. The others: rows in halves, rows one by one from the last
 * to the first, rows in parts of 3 (no tile divides 3), tokens one by one.
 */
export function splitWays(
  whole: Part,
  call: (kernels: Kernels, at: AddressOf, part: Part) => void,
): readonly [Way, ...(readonly Way[])] {
  const inParts =
    (parts: readonly Part[]): Way =>
    (kernels, at) => {
      for (const part of parts) call(kernels, at, part);
    };
  const rowParts = (size: number): Part[] => {
    const parts: Part[] = [];
    for (let begin = whole.rowBegin; begin < whole.rowEnd; begin += size) {
      parts.push({ ...whole, rowBegin: begin, rowEnd: Math.min(whole.rowEnd, begin + size) });
    }
    return parts;
  };
  const rows = whole.rowEnd - whole.rowBegin;
  const tokens = Array.from({ length: whole.tokenEnd - whole.tokenBegin }, (_, index) => ({
    ...whole,
    tokenBegin: whole.tokenBegin + index,
    tokenEnd: whole.tokenBegin + index + 1,
  }));
  const ways = [inParts([whole])] as [Way, ...Way[]];
  if (rows > 1) ways.push(inParts(rowParts(Math.ceil(rows / 2))), inParts(rowParts(1).reverse()));
  if (rows > 3) ways.push(inParts(rowParts(3)));
  if (tokens.length > 1) ways.push(inParts(tokens));
  return ways;
}
