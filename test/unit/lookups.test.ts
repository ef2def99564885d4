import { beforeAll, describe, expect, it } from "vitest";
import { base3Kernel, ternaryGroupsKernel, ternaryKernel } from "#dist/wasm/dot-forms.js";
import { compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { createLookupSelfTest } from "#dist/wasm/lookup-self-test.js";
import { lookupBytes, lookupLanes, lookupRows, lookupSteps, runLookupStep } from "#dist/wasm/lookups.js";
import { groupScratchBytes, type GroupSize, type Kernels } from "#dist/wasm/kernels.js";
import { createMemories, type Memories } from "#dist/wasm/memory.js";
import { base3RowBytes, packBase3Row } from "../reference/base3.js";
import { randomOf } from "../support/random-of.js";

const builds = ["relaxed", "simd128"] as const;
const made = new Map<string, { readonly memories: Memories; readonly kernels: Kernels }>();
beforeAll(async () => {
  for (const build of builds) {
    const { module } = await compileKernels(build);
    const memories = createMemories(64 << 20);
    made.set(build, { memories, kernels: instantiateKernels(module, memories.addRegion().memory) });
  }
});

describe("the steps of a matmul by lookup tables", () => {
  it.each(["narrow", "wide", "wideTiles"] as const)(
    "take the first tokens, each once, with room in their lanes (%s)",
    (rival) => {
      for (let tokens = 0; tokens <= 300; tokens += 1) {
        let next = 0;
        for (const { first, tokens: count, lanes } of lookupSteps(tokens, rival)) {
          expect(first).toBe(next);
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(lanes);
          next += count;
        }
        expect(next).toBeLessThanOrEqual(tokens);
        // Tiles are left less than the smallest tables are worth.
        expect(tokens - next).toBeLessThan({ narrow: 8, wide: 24, wideTiles: 29 }[rival]);
      }
    },
  );

  it("use the largest tables for whole passes", () => {
    for (const rival of ["narrow", "wide", "wideTiles"] as const)
      expect(lookupSteps(128, rival).map(({ lanes }) => lanes)).toEqual([64, 64]);
    expect(lookupSteps(7, "narrow")).toEqual([]);
  });
});

describe.each(builds)("a matmul by lookup tables (%s)", (build) => {
  const { rows: allRows, maxTokens } = { rows: 70, maxTokens: 70 };

  it.each([undefined, 128, 64] as const)("has the bytes of tiles, with groups of %s", (size) => {
    const { memories, kernels } = made.get(build) ?? {};
    if (memories === undefined || kernels === undefined) throw new Error("no kernels");
    const random = randomOf(7);
    const whole = (below: number): number => Math.floor(random() * below);
    const taken: number[] = [];
    const take = (bytes: number): Uint8Array<SharedArrayBuffer> => {
      const address = memories.allocate(0, bytes, "test");
      taken.push(address);
      return memories.view({ region: 0, address }, bytes);
    };
    const floats = ({ buffer, byteOffset, byteLength }: Uint8Array<SharedArrayBuffer>): Float32Array =>
      new Float32Array(buffer, byteOffset, byteLength / 4);
    const maxCols = 640;
    const weights = take((allRows * maxCols) / 4);
    weights.forEach((_, i) => (weights[i] = whole(3) | (whole(3) << 2) | (whole(3) << 4) | (whole(3) << 6)));
    const scales = floats(take(allRows * 16 * 4));
    const x = take(maxTokens * maxCols);
    x.forEach((_, i) => (x[i] = whole(256)));
    const records = take(maxTokens * 128);
    const [byTiles, byLookup] = [take(maxTokens * allRows * 4), take(maxTokens * allRows * 4)];
    const scratch = take(groupScratchBytes);
    const workspaces = [8, lookupRows(allRows, 4, 1)].map((rows) => ({
      rows,
      address: take(lookupBytes(rows)).byteOffset,
    }));

    for (let round = 0; round < 60; round += 1) {
      const cols = 128 * (1 + whole(5));
      const [begin, end] = [whole(20), 21 + whole(allRows - 20)];
      const tokens = 1 + whole(maxTokens);
      const groupCount = size === undefined ? 0 : cols / size;
      if (size !== undefined && groupCount < 4) continue;
      const scaleCount = Math.ceil(groupCount / 4) * 4;
      // Scales are filled up with zeros to whole vectors.
      scales.forEach((_, i) => (scales[i] = i % scaleCount < groupCount ? random() - 0.3 : 0));
      const recordBytes = fillRecords(records, { x, cols, tokens, size, random });
      const accumulate = round % 2 === 0;
      floats(byTiles).fill(0.25);
      floats(byLookup).fill(0.25);
      const stride = allRows * 4;
      const shared = [
        tokens,
        byTiles.byteOffset,
        stride,
        scratch.byteOffset,
        0.37,
        accumulate ? 1 : 0,
      ] as const;
      const range = [weights.byteOffset, cols, begin, end] as const;
      if (size === undefined)
        ternaryKernel(kernels, "i8")(...range, x.byteOffset, cols, records.byteOffset, ...shared);
      else {
        const [address, , ...rows] = range;
        ternaryGroupsKernel(kernels, "i8", size)(
          address,
          scales.byteOffset,
          cols,
          ...rows,
          x.byteOffset,
          records.byteOffset,
          ...shared,
        );
      }
      const matmul = {
        codes: "ternary" as const,
        rowBytes: cols / 4,
        weights: weights.byteOffset,
        cols,
        begin,
        end,
        values: x.byteOffset,
        records: records.byteOffset,
        recordBytes,
        groups: size && {
          size,
          address: scales.byteOffset,
          rowBytes: scaleCount * 4,
        },
        address: byLookup.byteOffset,
        stride,
        scale: 0.37,
        accumulate,
      };
      const lanes = lookupLanes[round % 3] ?? 64;
      const workspace = workspaces[whole(2)];
      if (workspace === undefined) throw new Error("no workspace");
      for (let first = 0; first < tokens; first += lanes)
        runLookupStep(kernels, matmul, { first, tokens: Math.min(lanes, tokens - first), lanes }, workspace);
      expect(Buffer.compare(byLookup, byTiles), `round ${round}: ${end - begin} × ${cols} · ${tokens}`).toBe(
        0,
      );
    }
    for (const address of taken) memories.free(0, address);
  });

  it("has the bytes of tiles in base 3, also where rows end within a block", () => {
    const { memories, kernels } = made.get(build) ?? {};
    if (memories === undefined || kernels === undefined) throw new Error("no kernels");
    const random = randomOf(11);
    const whole = (below: number): number => Math.floor(random() * below);
    const taken: number[] = [];
    const take = (bytes: number): Uint8Array<SharedArrayBuffer> => {
      const address = memories.allocate(0, bytes, "test");
      taken.push(address);
      return memories.view({ region: 0, address }, bytes);
    };
    const workspace = { rows: 40, address: take(lookupBytes(40)).byteOffset };
    for (const [cols, tokens] of [
      [160, 70],
      [1280, 33],
      [1440, 20],
      [1456, 5],
      [2560, 64],
    ] as const) {
      const stride = Math.ceil(cols / 128) * 128;
      const rows = 23 + whole(30);
      const rowBytes = base3RowBytes(cols);
      const weights = take(rows * rowBytes + 96);
      for (let row = 0; row < rows; row += 1) {
        const values = Int8Array.from({ length: cols }, () => whole(3) - 1);
        weights.set(packBase3Row(values), row * rowBytes);
      }
      // Rows of the input are filled up with zeros.
      const x = take(tokens * stride + 640).fill(0);
      for (let t = 0; t < tokens; t += 1) for (let k = 0; k < cols; k += 1) x[t * stride + k] = whole(256);
      const records = take(tokens * 8);
      fillRecords(records, { x, cols: stride, tokens, size: undefined, random });
      const [byTiles, byLookup] = [take(tokens * rows * 4), take(tokens * rows * 4)];
      const scratch = take(groupScratchBytes);
      // prettier-ignore
      base3Kernel(kernels, "i8")(
        weights.byteOffset, cols, 0, rows, x.byteOffset, stride, records.byteOffset, tokens, byTiles.byteOffset,
        rows * 4, scratch.byteOffset, 0.37, 0,
      );
      const matmul = {
        codes: "base3" as const,
        weights: weights.byteOffset,
        rowBytes,
        cols: stride,
        begin: 0,
        end: rows,
        values: x.byteOffset,
        records: records.byteOffset,
        recordBytes: 8,
        groups: undefined,
        address: byLookup.byteOffset,
        stride: rows * 4,
        scale: 0.37,
        accumulate: false,
      };
      for (const lanes of [32, 16] as const) {
        byLookup.fill(0xff);
        for (let first = 0; first < tokens; first += lanes)
          runLookupStep(
            kernels,
            matmul,
            { first, tokens: Math.min(lanes, tokens - first), lanes },
            workspace,
          );
        expect(Buffer.compare(byLookup, byTiles), `${rows} × ${cols} · ${tokens}`).toBe(0);
      }
    }
    for (const address of taken) memories.free(0, address);
  });

  it("passes its self-test, and fails it with a wrong kernel", () => {
    const { memories, kernels } = made.get(build) ?? {};
    if (memories === undefined || kernels === undefined) throw new Error("no kernels");
    const before = memories.regions[0]?.usedBytes;
    const selfTest = createLookupSelfTest(memories);
    expect(selfTest.correct(kernels)).toBe(true);
    for (const name of [
      "lookup_tables_i8",
      "add_lookups_32",
      "add_half_lookups_16",
      "add_base3_lookups_32",
      "finish_scaled_lookups",
    ] as const)
      expect(selfTest.correct({ ...kernels, [name]: () => undefined }), name).toBe(false);
    selfTest.free();
    expect(memories.regions[0]?.usedBytes).toBe(before);
  });
});

/**
 * Writes the record of each token: {scale, sum}, or the scales and sums of groups. @returns bytes of a
 * record.
 */
function fillRecords(
  records: Uint8Array<SharedArrayBuffer>,
  of: {
    readonly x: Uint8Array;
    readonly cols: number;
    readonly tokens: number;
    readonly size: GroupSize | undefined;
    readonly random: () => number;
  },
): number {
  const { x, cols, tokens, size = cols, random } = of;
  const groups = cols / size;
  const vector = of.size === undefined ? 1 : Math.ceil(groups / 4) * 4;
  records.fill(0);
  const data = new DataView(records.buffer, records.byteOffset, records.byteLength);
  for (let t = 0; t < tokens; t += 1) {
    for (let g = 0; g < groups; g += 1) {
      let sum = 0;
      for (let k = g * size; k < (g + 1) * size; k += 1) sum += ((x[t * cols + k] ?? 0) << 24) >> 24;
      data.setFloat32((t * 2 * vector + g) * 4, 0.1 + random(), true);
      data.setInt32((t * 2 * vector + vector + g) * 4, sum, true);
    }
  }
  return 8 * vector;
}
