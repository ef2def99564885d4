import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logSoftmax, softmaxTotals } from "#dist/generation/sampling/log-softmax.js";

/** The definition, with the host's arithmetic. */
function slowLogSoftmax(logits: readonly number[], tokenId: number): number {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  return Math.log(Math.exp(logits[tokenId] ?? NaN) / total);
}

const logit = fc.float({ min: -40, max: 40, noNaN: true });

describe("softmaxTotals", () => {
  it("is the largest and the sum of e to the differences from it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noDefaultInfinity: true, noNaN: true }), { minLength: 1 }),
        (values) => {
          const { largest, total } = softmaxTotals(Float32Array.from(values));
          expect(largest).toBe(Math.max(...values));
          expect(total).toBeCloseTo(
            values.reduce((sum, value) => sum + Math.exp(value - largest), 0),
            9,
          );
        },
      ),
    );
  });
});

describe("logSoftmax", () => {
  it("is the logarithm of the softmax", () => {
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 300 }), fc.nat(), (values, seed) => {
        const tokenId = seed % values.length;
        const expected = slowLogSoftmax(values, tokenId);
        expect(logSoftmax(Float32Array.from(values))(tokenId)).toBeCloseTo(expected, 9);
      }),
    );
  });

  it("gives probabilities that add up to 1, far from where exp overflows too", () => {
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(-3e38, -1e6, 0, 1e6, 3e38),
        (values, offset) => {
          const logits = Float32Array.from(values, (value) => value + offset);
          const logProbability = logSoftmax(logits);
          const sum = values.reduce((total, _, id) => total + Math.exp(logProbability(id)), 0);
          expect(sum).toBeCloseTo(1, 9);
        },
      ),
    );
  });

  it("leaves nothing to tokens whose logit is NaN or −Infinity", () => {
    const logProbability = logSoftmax(Float32Array.of(1, NaN, 1, -Infinity));
    expect([0, 1, 2, 3].map(logProbability)).toEqual([Math.log(0.5), -Infinity, Math.log(0.5), -Infinity]);
  });

  it("treats +Infinity as the largest float", () => {
    expect(logSoftmax(Float32Array.of(0, Infinity))(1)).toBe(0);
  });

  it.each([[[]], [[NaN, NaN]], [[-Infinity]]])("refuses %j, where nothing is possible", (values) => {
    expect(() => logSoftmax(Float32Array.from(values))).toThrow(
      expect.objectContaining({ name: "BitNetError", code: "MODEL_INVALID" }),
    );
  });

  // Every runtime must give these bits. A change to them changes every perplexity.
  it("has the same bits everywhere", () => {
    const logits = Float32Array.from({ length: 1000 }, (_, i) => Math.fround(((i * 7919) % 1000) / 37 - 12));
    const logProbability = logSoftmax(logits);
    const view = new DataView(new ArrayBuffer(8));
    const bits = [0, 1, 500, 999].map((id) => {
      view.setFloat64(0, logProbability(id));
      return view.getBigUint64(0).toString(16);
    });
    expect(bits).toEqual(["c03e9fd8be34a1ed", "c0172570b8d287b2", "c0311c631e34a1ed", "c03c6f6a0e34a1ed"]);
  });
});
