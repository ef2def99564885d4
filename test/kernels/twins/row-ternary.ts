import { f32 } from "../../reference/float32.js";
import { groupsOf, packGroupedCodes, packGroupNumbers } from "../../reference/ternary-groups.js";
import { bytesOf, type KernelCase, type KernelTwin, requireSame, unset } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

const rows = 3;

export const rowTernaryTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(79);
    const scale = f32(0.0371);
    for (const cols of [0, 32, 128, 224, 256, 2560]) {
      const weights = Array.from({ length: rows }, () => numbers.ternary(cols));
      for (const row of [0, 2]) {
        yield {
          name: `row ${row} of ${rows} × ${cols}`,
          blocks: { weights: bytesOf(...weights.map(packGroupedCodes)), output: unset(cols * 4) },
          aligned: [],
          writes: { output: [[0, cols * 4]] },
          ways: [(kernels, at) => kernels.row_ternary(at("weights"), cols, row, scale, at("output"))],
          check: (outcome) =>
            requireSame(
              outcome.floats("output"),
              Float32Array.from(weights[row] ?? [], (weight) => weight * scale),
              "column",
            ),
        };
      }
    }
  },
};

export const rowTernaryGroupsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(80);
    for (const groupSize of [64, 128]) {
      for (const [cols, scale] of [
        [0, 1],
        [32, 1],
        [64, f32(0.3)],
        [224, 1],
        [2560, 1],
      ] as const) {
        const weights = Array.from({ length: rows }, () => ({
          weights: Int8Array.from({ length: cols }, () => numbers.whole(-1, 2)),
          scales: numbers.floats(groupsOf(cols, groupSize)),
        }));
        for (const row of [0, 2]) {
          yield {
            name: `row ${row} of ${rows} × ${cols} / ${groupSize}`,
            blocks: {
              weights: bytesOf(...weights.map((each) => packGroupedCodes(each.weights))),
              scales: bytesOf(...weights.map((each) => packGroupNumbers(each.scales))),
              output: unset(cols * 4),
            },
            aligned: [],
            writes: { output: [[0, cols * 4]] },
            ways: [
              (kernels, at) =>
                // prettier-ignore
                kernels.row_ternary_groups(
                  at("weights"), at("scales"), groupSize, cols, row, scale, at("output"),
                ),
            ],
            check(outcome): void {
              const { weights: codes, scales } = weights[row] ?? { weights: [], scales: [] };
              const expected = Float32Array.from(
                codes,
                (weight, k) => weight * f32((scales[Math.floor(k / groupSize)] ?? NaN) * scale),
              );
              requireSame(outcome.floats("output"), expected, "column");
            },
          };
        }
      }
    }
  },
};
