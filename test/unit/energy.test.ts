import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readFileSync } from "node:fs";
import { type EnergyMeter, type NoEnergyMeter, openEnergyMeter } from "#dist/platform/energy-counters.js";
import {
  type CountedMatrix,
  estimateArithmeticEnergy,
  operationPicojoules,
  paperPositions,
} from "#dist/tools/benchmark/arithmetic-energy.js";
import { dummyShapes } from "#dist/tools/dummy/shapes.js";
import { watchEnergy } from "#dist/tools/benchmark/energy.js";

// A Windows file name cannot contain a colon, and Windows has no powercap folder.
describe.skipIf(process.platform === "win32")("openEnergyMeter", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bitnet-powercap-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const readText = (path: string): string => readFileSync(path, "utf8");
  const open = (): EnergyMeter | NoEnergyMeter => openEnergyMeter({ folder, readText });

  function zone(entry: string, name: string, microjoules: number | string, range = 262_143_328_850): void {
    mkdirSync(join(folder, entry), { recursive: true });
    writeFileSync(join(folder, entry, "name"), `${name}\n`);
    writeFileSync(join(folder, entry, "energy_uj"), `${microjoules}\n`);
    writeFileSync(join(folder, entry, "max_energy_range_uj"), `${range}\n`);
  }

  function opened(): EnergyMeter {
    const meter = open();
    if (!("zones" in meter)) throw new Error(meter.missing);
    return meter;
  }

  it("adds up packages and memory, and counts nothing twice", () => {
    zone("intel-rapl:0", "package-0", 1_000_000);
    zone("intel-rapl:0:0", "core", 0);
    zone("intel-rapl:0:1", "dram", 500);
    zone("intel-rapl:1", "package-1", 0);
    zone("intel-rapl:2", "psys", 0);
    zone("intel-rapl-mmio:0", "package-0", 0);
    const meter = opened();
    expect([...meter.zones].sort()).toEqual(["dram", "package-0", "package-1"]);
    expect(meter.joules()).toBe(0);
    zone("intel-rapl:0", "package-0", 3_000_000);
    zone("intel-rapl:0:0", "core", 7_000_000);
    zone("intel-rapl:0:1", "dram", 250_500);
    zone("intel-rapl:1", "package-1", 1_000_000);
    zone("intel-rapl:2", "psys", 90_000_000);
    zone("intel-rapl-mmio:0", "package-0", 3_000_000);
    expect(meter.joules()).toBe(3.25);
    expect(meter.joules()).toBe(3.25);
  });

  it("continues when a counter wraps to 0", () => {
    zone("intel-rapl:0", "package-0", 999_000_000, 1_000_000_000);
    const meter = opened();
    zone("intel-rapl:0", "package-0", 500_000, 1_000_000_000);
    expect(meter.joules()).toBe(1.5);
    zone("intel-rapl:0", "package-0", 400_000, 1_000_000_000);
    expect(meter.joules()).toBe(1.5 + 999.9);
  });

  it("keeps its sum when a counter disappears", () => {
    zone("intel-rapl:0", "package-0", 0);
    const meter = opened();
    zone("intel-rapl:0", "package-0", 2_000_000);
    expect(meter.joules()).toBe(2);
    rmSync(join(folder, "intel-rapl:0"), { recursive: true });
    expect(meter.joules()).toBe(2);
  });

  it("reports the reason if there is nothing to read", () => {
    expect(open()).toEqual({
      missing: `this machine has no energy counters (no RAPL package in ${folder})`,
    });
    expect(openEnergyMeter({ folder: join(folder, "none"), readText })).toEqual({
      missing: `this machine has no energy counters (no folder ${join(folder, "none")})`,
    });
    zone("intel-rapl:0", "package-0", "many");
    expect(open()).toEqual({ missing: expect.stringContaining('energy_uj holds "many"') as string });
  });

  it("reports that this user may not read, and the remedy", () => {
    zone("intel-rapl:0", "package-0", 5);
    // Tests may run as root, which ignores file modes.
    const meter = openEnergyMeter({
      folder,
      readText: (path) => {
        if (!path.endsWith("energy_uj")) return readText(path);
        throw Object.assign(new Error(`EACCES: permission denied, open '${path}'`), { code: "EACCES" });
      },
    });
    expect(meter).toEqual({
      missing: `this machine has energy counters, but this user may not read them: run as root, or allow it with: sudo chmod a+r ${folder}/intel-rapl:*/energy_uj`,
    });
  });
});

describe("watchEnergy", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("gives the joules between start and stop", () => {
    let joules = 10;
    const watch = watchEnergy({ zones: ["package-0"], joules: () => joules });
    watch.start();
    joules = 14;
    expect(watch.stop()).toBe(4);
    joules = 20;
    watch.start();
    joules = 21;
    expect(watch.stop()).toBe(1);
  });

  it("reads often enough for counters that wrap around, and no more once stopped", () => {
    vi.useFakeTimers();
    let reads = 0;
    const watch = watchEnergy({ zones: ["package-0"], joules: () => (reads += 1) });
    watch.start();
    vi.advanceTimersByTime(60_000);
    expect(reads).toBe(7);
    watch.stop();
    vi.advanceTimersByTime(60_000);
    expect(reads).toBe(8);
  });

  it("reports nothing if counters do not change", () => {
    const watch = watchEnergy({ zones: ["package-0"], joules: () => 5 });
    watch.start();
    expect(watch.stop()).toBeUndefined();
  });
});

describe("estimateArithmeticEnergy", () => {
  it("counts a matmul's operations like the papers", () => {
    const [rows, cols] = [3, 5];
    const energy = (ternary: boolean, node: "45nm" | "7nm"): number =>
      estimateArithmeticEnergy(
        { matrices: [{ rows, cols, ternary }], head: undefined, layers: 0, queryWidth: 0 },
        0,
        node,
      ).layers;
    expect(energy(true, "7nm")).toBeCloseTo((12 * 0.007 + 8 * 0.34) * 1e-12, 20);
    expect(energy(false, "7nm")).toBeCloseTo((12 * 0.16 + 15 * 0.34) * 1e-12, 20);
    expect(energy(true, "45nm")).toBeCloseTo((12 * 0.03 + 8 * 1.1) * 1e-12, 20);
  });

  interface Shape {
    readonly layers: number;
    readonly width: number;
    readonly feedForward: number;
    readonly queryWidth: number;
    readonly kvWidth: number;
  }

  /** Joules of a sequence of 512 tokens at 7 nm. */
  function sequence({ layers, width, feedForward, queryWidth, kvWidth }: Shape, ternary: boolean): number {
    const layer: readonly (readonly [number, number])[] = [
      [queryWidth, width],
      [kvWidth, width],
      [kvWidth, width],
      [width, queryWidth],
      [feedForward, width],
      [feedForward, width],
      [width, feedForward],
    ];
    const matrices = Array.from({ length: layers }, () => layer)
      .flat()
      .map(([rows, cols]): CountedMatrix => ({ rows, cols, ternary }));
    const model = { matrices, head: undefined, layers, queryWidth };
    return paperPositions * estimateArithmeticEnergy(model, paperPositions, "7nm").layers;
  }

  // Table 1 of the report on BitNet b1.58 2B4T (arXiv:2504.12285), in joules, with the published shapes of
  // its models.
  it.each([
    ["LLaMA 3.2 1B", 0.258, { layers: 16, width: 2048, feedForward: 8192, queryWidth: 2048, kvWidth: 512 }],
    ["Gemma 3 1B", 0.186, { layers: 26, width: 1152, feedForward: 6912, queryWidth: 1024, kvWidth: 256 }],
    ["Qwen2.5 1.5B", 0.347, { layers: 28, width: 1536, feedForward: 8960, queryWidth: 1536, kvWidth: 256 }],
    ["SmolLM2 1.7B", 0.425, { layers: 24, width: 2048, feedForward: 8192, queryWidth: 2048, kvWidth: 2048 }],
    ["MiniCPM 2B", 0.649, { layers: 40, width: 2304, feedForward: 5760, queryWidth: 2304, kvWidth: 2304 }],
  ])("gives the published energy of %s, in half precision", (_, joules, shape) => {
    expect(sequence(shape, false)).toBeCloseTo(joules, 3);
  });

  it("gives the published energy of BitNet b1.58 2B4T", () => {
    const shape = dummyShapes.get("2B4T");
    if (shape === undefined) throw new Error("no 2B4T");
    const { layers, width, feedForward, heads, kvHeads } = shape;
    const kvWidth = (width / heads) * kvHeads;
    expect(sequence({ layers, width, feedForward, queryWidth: width, kvWidth }, true)).toBeCloseTo(0.028, 3);
  });

  it("has energies for the nodes that the papers give", () => {
    expect(Object.keys(operationPicojoules)).toEqual(["45nm", "7nm"]);
  });
});
