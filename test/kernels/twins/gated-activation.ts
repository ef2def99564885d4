import type { Kernels } from "#dist/wasm/kernels.js";
import { recordFigure } from "../../support/figures.js";
import { at as valueAt, roundoff } from "../../reference/float32.js";
import { geluGate, relu2Gate, siluGate } from "../../reference/gates.js";
import {
  type AddressOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  requireWithin,
  stridedRows,
} from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

type GateKernel = "gate_gelu" | "gate_relu2" | "gate_silu";

/** Compares a row of outputs with the function of its operands. */
type CheckRow = (actual: Float32Array, gate: Float32Array, up: Float32Array, what: string) => void;

function gateTwin(kernel: GateKernel, checkRow: CheckRow): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(41);
      const random = (tokens: number, cols: number): Float32Array[] =>
        Array.from({ length: tokens }, () => numbers.floats(cols));
      for (const tokens of [0, 1, 3]) {
        for (const cols of [4, 8, 20])
          yield gateCase(kernel, `${tokens} × ${cols}`, random(tokens, cols), random(tokens, cols), checkRow);
      }
      yield gateCase(kernel, "1 × 0", random(1, 0), random(1, 0), checkRow);
      yield gateCase(kernel, "2 × 6912", random(2, 6912), random(2, 6912), checkRow);
      const special = Float32Array.of(0, -0, 1, -1, 2 ** -149, -(2 ** -149), 88, -87, 89, -100, 1e4, -1e4);
      yield gateCase(kernel, "special values", [special], [new Float32Array(12).fill(1)], checkRow);
      // From −87 to 87 in small steps. With an up of 1, the error of e^x is visible where x is well below
      // zero.
      const sweep = Float32Array.from({ length: 17400 }, (_, i) => i / 100 - 87);
      yield gateCase(kernel, "−87 to 87", [sweep], [new Float32Array(17400).fill(1)], checkRow);
    },
  };
}

function gateCase(
  kernel: GateKernel,
  name: string,
  gates: readonly Float32Array[],
  ups: readonly Float32Array[],
  checkRow: CheckRow,
): KernelCase {
  const cols = gates[0]?.length ?? 4;
  const stride = cols * 4 + 12;
  const part = (
    kernels: Kernels,
    at: AddressOf,
    t: number,
    tokens: number,
    begin: number,
    end: number,
  ): void => kernels[kernel](at("gate") + t * stride, at("up") + t * stride, tokens, stride, begin, end);
  return {
    name,
    blocks: { gate: stridedRows(gates, stride), up: stridedRows(ups, stride) },
    aligned: [],
    writes: { gate: columnRanges(gates.length, stride, 0, cols) },
    ways: [
      (kernels, at) => part(kernels, at, 0, gates.length, 0, cols),
      (kernels, at) => {
        for (let begin = 0; begin < cols; begin += 4)
          if (cols < 64) part(kernels, at, 0, gates.length, begin, begin + 4);
        if (cols >= 64)
          for (const [begin, end] of [
            [64, cols],
            [0, 64],
          ] as const)
            part(kernels, at, 0, gates.length, begin, end);
      },
      (kernels, at) => {
        for (let t = gates.length - 1; t >= 0; t -= 1) part(kernels, at, t, 1, 0, cols);
      },
    ],
    check(outcome): void {
      gates.forEach((gate, t) => {
        const actual = outcome
          .floats("gate")
          .subarray((t * stride) / 4)
          .subarray(0, cols);
        checkRow(actual, gate, ups[t] ?? new Float32Array(0), `token ${t}, column`);
      });
    },
  };
}

export const relu2Twin: KernelTwin = gateTwin("gate_relu2", (actual, gate, up, what) => {
  requireSame(
    actual,
    gate.map((value, k) => relu2Gate(value, valueAt(up, k))),
    what,
  );
});

/**
 * e^x is good to one ulp, at most 2 roundoffs. The addition of one, the division and the multiplication by up
 * round once each. Below −87 the exponential stops growing. There the result is under 1e-36 in magnitude
 * instead of smaller.
 */
const siluRoundoffs = 5;

export const siluTwin: KernelTwin = gateTwin("gate_silu", (actual, gate, up, what) => {
  const expected = Array.from(gate, (value, k) => siluGate(value, valueAt(up, k)));
  const bound = (k: number): number =>
    siluRoundoffs * roundoff * Math.abs(valueAt(expected, k)) +
    (valueAt(gate, k) < -87 ? 1e-33 : 2 ** -126) * Math.abs(valueAt(up, k)) +
    2 ** -149;
  const worst = requireWithin(actual, expected, bound, what);
  recordFigure("gate_silu, roundoffs of f32", worst * siluRoundoffs);
});

/**
 * As siluTwin, but the exponent is itself rounded, in four steps and a constant. An error of δ in it is an
 * error of δ · |2z| in its exponential. It matters unless the exponential is far below 1. Near g = 0 the tanh
 * of the definition loses digits in f64. The kernel does not lose them.
 */
export const geluTwin: KernelTwin = gateTwin("gate_gelu", (actual, gate, up, what) => {
  const expected = Array.from(gate, (value, k) => geluGate(value, valueAt(up, k)));
  const bound = (k: number): number => {
    const g = valueAt(gate, k);
    const power = g < 0 ? Math.min(88, 1.6 * Math.abs(g) * (1 + 0.044715 * g * g)) : 0;
    const relative = (siluRoundoffs + 5 * power) * roundoff * Math.abs(valueAt(expected, k));
    // 1 + tanh in f64 is good to 2⁻⁵³. The kernel's exponential stops growing at e^88, which matters below
    // −4.
    const absolute = Math.abs(g) * 2 ** -53 + (g < -4 ? Math.abs(g) * 1e-36 : 0);
    return relative + absolute * Math.abs(valueAt(up, k)) + 2 ** -126 * Math.abs(valueAt(up, k)) + 2 ** -149;
  };
  recordFigure("gate_gelu, share of its bound", requireWithin(actual, expected, bound, what));
});
