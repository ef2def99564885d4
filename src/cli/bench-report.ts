import type { TokenBytes } from "../model/bytes-per-token.js";
import type { PackingGoal } from "../packing/packing.js";
import type { CacheType } from "../wasm/cache-types.js";
import {
  operationPicojoules,
  paperPositions,
  type ProcessNode,
} from "../tools/benchmark/arithmetic-energy.js";
import { exceedsCaches, fasterOf, type ReadBandwidth } from "../tools/benchmark/bandwidth.js";
import type { FirstToken } from "../tools/benchmark/first-token.js";
import type { BenchmarkRow, BenchmarkSetup } from "../tools/benchmark/model-benchmark.js";
import type { TokenProfile } from "../tools/benchmark/profile-parts.js";
import { type Column, createTextTable } from "./text-table.js";
import { formatBytes, formatCount, formatJoules, formatMs, formatRate } from "./units.js";
import { visible } from "./visible.js";

/** The measured model. */
export interface BenchedModel {
  readonly name: string;
  readonly parameters: number;
  readonly packing: PackingGoal;
  readonly cacheType: CacheType;
  readonly tokenBytes: TokenBytes;
}

/** How results reach the user. `setup` is undefined if only speeds were measured. */
export interface BenchReport {
  /** A model was loaded, once for each number of threads. */
  begin(model: BenchedModel): void;
  row(row: BenchmarkRow, setup: BenchmarkSetup | undefined): void;
  /** All rows of the thread count have been reported. */
  endThreads(setup: BenchmarkSetup | undefined): void;
  /** All rows of the model have been reported. */
  endModel(setup: BenchmarkSetup | undefined): void;
  end(): void;
}

/** The report of `bench --json`: one array, at the end. */
export function createJsonReport(write: (text: string) => void): BenchReport {
  const results: object[] = [];
  let name = "";
  return {
    begin(model): void {
      ({ name } = model);
    },
    row(row, setup): void {
      results.push({ model: name, ...describeSpeed(row), ...(setup && describeDetails(row, setup)) });
    },
    endThreads: () => undefined,
    endModel: () => undefined,
    end: () => write(`${JSON.stringify(results)}\n`),
  };
}

/** The documented keys, in their order. */
function describeSpeed({ measurement, threads, kernelBuild, peakRssBytes, loadMs }: BenchmarkRow): object {
  return {
    test: measurement.test,
    threads,
    kernelBuild,
    medianTokensPerSecond: round(measurement.medianTokensPerSecond),
    minTokensPerSecond: round(measurement.minTokensPerSecond),
    maxTokensPerSecond: round(measurement.maxTokensPerSecond),
    repetitions: measurement.repetitions,
    peakRssBytes,
    loadMs: round(loadMs),
  };
}

/** The keys that `--details` adds. Null if a value was not measured. */
function describeDetails(
  { dotForms, promptForms, threadShares, packing, cacheType, limit, joulesPerToken, profile }: BenchmarkRow,
  { firstToken, meter, arithmetic, loadMs, loadBytesPerSecond }: BenchmarkSetup,
): object {
  return {
    dotForms: roundTimes(dotForms),
    promptForms: roundTimes(promptForms),
    threadShares: threadShares.map((part) => round(part)),
    packing,
    cacheType,
    loadBytesPerSecond: round(loadBytesPerSecond),
    firstToken:
      firstToken === undefined
        ? null
        : {
            promptTokens: firstToken.promptTokens,
            fromLoadMs: round(loadMs + firstToken.coldMs),
            coldMs: round(firstToken.coldMs),
            medianMs: round(firstToken.warmMs.median),
            minMs: round(firstToken.warmMs.min),
            maxMs: round(firstToken.warmMs.max),
          },
    bytesPerToken: limit?.bytesPerToken ?? null,
    readBytesPerSecond: round(limit?.readBytesPerSecond),
    bandwidthBytesPerSecond: round(limit?.bandwidth.bytesPerSecond),
    bandwidthShare: round(limit?.bandwidthShare),
    joulesPerToken: joulesPerToken ?? null,
    energyCounters: "zones" in meter ? meter.zones : meter.missing,
    estimatedArithmeticJoulesPerToken: arithmetic,
    profile: profile ?? null,
  };
}

/** Three decimals. More would be noise. */
function round(value: number): number;
function round(value: number | undefined): number | null;
function round(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 1000) / 1000;
}

/** Rows are printed as they are measured, so the widths are those of usual values. */
const columns: readonly Column[] = [
  { title: "test", width: 7 },
  { title: "threads", align: "right" },
  { title: "kernels", width: 18 },
  { title: "tokens/s", align: "right" },
  { title: "min … max", align: "right", width: 13 },
  { title: "weights read", align: "right" },
  { title: "of limit", align: "right" },
  { title: "load", align: "right", width: 7 },
  { title: "peak memory", align: "right" },
  { title: "J/token", align: "right", width: 8 },
];

/**
 * A table for people, printed as it is measured.
 *
 * @param countsEnergy whether the machine has energy counters. Without them the column is omitted.
 */
export function createTableReport(write: (text: string) => void, countsEnergy: boolean): BenchReport {
  const shown = countsEnergy ? columns : columns.slice(0, -1);
  const table = createTextTable(shown, []);
  let begun: string | undefined;
  /** Of the rows with this number of threads. */
  let bandwidth: ReadBandwidth | undefined;
  let forms: Forms | undefined;
  const writeLines = (lines: readonly string[]): void => {
    for (const line of lines) write(`${line}\n`);
  };
  return {
    begin(model): void {
      bandwidth = undefined;
      if (begun !== undefined) return;
      begun = model.name;
      const { layers, head, kvCachePerPosition } = model.tokenBytes;
      const reads = `${formatBytes(layers + head)} of weights and ${formatBytes(kvCachePerPosition)} of cache for each position`;
      writeLines([
        `${visible(model.name)}: ${formatCount(model.parameters)} parameters; a token reads ${reads}; packing ${model.packing}, KV cache ${model.cacheType}`,
        table.head,
      ]);
    },
    row(row): void {
      forms = row;
      if (row.limit !== undefined) {
        bandwidth = bandwidth === undefined ? row.limit.bandwidth : fasterOf(bandwidth, row.limit.bandwidth);
      }
      const cells = rowCells(row).slice(0, shown.length);
      writeLines([table.row(cells), ...(row.profile === undefined ? [] : profileLines(row.profile))]);
    },
    endThreads(setup): void {
      if (setup !== undefined) writeLines([loadLine(setup)]);
      if (setup?.firstToken !== undefined) writeLines([firstTokenLine(setup.loadMs, setup.firstToken)]);
      if (setup !== undefined && bandwidth !== undefined) writeLines([limitLine(setup.threads, bandwidth)]);
      if (forms !== undefined) writeLines(formsLines(forms));
    },
    endModel(setup): void {
      begun = undefined;
      if (setup !== undefined) writeLines(energyLines(setup));
    },
    end: () => undefined,
  };
}

function rowCells({ measurement, threads, kernelBuild, limit, loadMs, ...row }: BenchmarkRow): string[] {
  const { test, medianTokensPerSecond, minTokensPerSecond, maxTokensPerSecond } = measurement;
  return [
    test,
    String(threads),
    kernelBuild,
    formatRate(medianTokensPerSecond),
    `${formatRate(minTokensPerSecond)} … ${formatRate(maxTokensPerSecond)}`,
    limit === undefined ? "" : `${formatBytes(limit.readBytesPerSecond)}/s`,
    limit === undefined ? "" : formatShare(limit.bandwidthShare),
    formatMs(loadMs),
    formatBytes(row.peakRssBytes),
    row.joulesPerToken === undefined ? "-" : formatJoules(row.joulesPerToken),
  ];
}

function energyLines({ meter, arithmetic }: BenchmarkSetup): readonly string[] {
  return [
    "zones" in meter
      ? `  energy: of ${meter.zones.join(" + ")}, used by all programs together`
      : `  energy not measured: ${meter.missing}`,
    arithmeticLine(arithmetic),
  ];
}

/** How the matmuls ran. */
type Forms = Pick<BenchmarkRow, "dotForms" | "promptForms" | "threadShares">;

function formsLines({ dotForms, promptForms, threadShares }: Forms): readonly string[] {
  const list = (times: Readonly<Record<string, number>>): string =>
    Object.entries(times)
      .sort(([, a], [, b]) => a - b)
      .map(([form, time]) => `${form} ${time.toFixed(2)}`)
      .join(", ");
  return [
    `  dot forms by their time: ${list(dotForms)}`,
    `  matmuls of prompts by their time: ${list(promptForms)}`,
    ...(threadShares.length > 1
      ? [`  parts of the threads: ${threadShares.map((part) => part.toFixed(2)).join(", ")}`]
      : []),
  ];
}

function roundTimes(times: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(times).map(([form, time]) => [form, round(time)]));
}

function loadLine({ loadMs, loadBytesPerSecond }: BenchmarkSetup): string {
  return `  load: ${formatMs(loadMs)}, ${formatBytes(loadBytesPerSecond)} of weights per second`;
}

function firstTokenLine(loadMs: number, { promptTokens, coldMs, warmMs }: FirstToken): string {
  const { median, min, max } = warmMs;
  return (
    `  first token: ${formatMs(loadMs + coldMs)} after loading began; ` +
    `${formatMs(median)} after a prompt of ${promptTokens} tokens (${formatMs(min)} … ${formatMs(max)}; at first ${formatMs(coldMs)})`
  );
}

function limitLine(threads: number, { bytesPerSecond, bytes }: ReadBandwidth): string {
  const caveat = exceedsCaches(bytes) ? "" : " (small enough for caches, so not the speed of memory)";
  return (
    `  limit: ${formatRate(bytesPerSecond / bytes)} tokens/s; without other work, ${threads} ${threads === 1 ? "thread reads" : "threads read"} ` +
    `these ${formatBytes(bytes)} of weights at ${formatBytes(bytesPerSecond)}/s${caveat}`
  );
}

function arithmeticLine(arithmetic: BenchmarkSetup["arithmetic"]): string {
  // The smaller node first: it is nearer to today's machines.
  const nodes = (Object.keys(operationPicojoules) as ProcessNode[]).reverse();
  const energies = nodes.map((node) => {
    const { layers, head } = arithmetic[node];
    return `${formatJoules(layers)} at ${node.replace("nm", " nm")} (${formatJoules(layers + head)} with the output head)`;
  });
  return `  estimate of the arithmetic alone, as in the BitNet papers, for a token of ${paperPositions}: ${energies.join(", ")}`;
}

/**
 * A line per operation, in milliseconds per token, and their sum. Then a line per layer, if zeros are
 * skipped.
 */
function profileLines({ parts, tokenMs, zeros }: TokenProfile): readonly string[] {
  const times = [...parts, { name: "a token, on average", ms: tokenMs }].map(
    ({ name, ms }) => `  ${ms.toFixed(2).padStart(8)} ms  ${name}`,
  );
  if (zeros.length === 0) return times;
  const [layer, gate, input] = ["layer", "zeros of the gate", "zero int8 inputs of down"];
  const shares = zeros.map((shares, index) => {
    const cells = [
      formatTenths(shares.gate).padStart(gate.length),
      formatTenths(shares.downInput).padStart(input.length),
    ];
    return `  ${String(index).padStart(layer.length)}  ${cells.join("  ")}`;
  });
  return [...times, `  ${layer}  ${gate}  ${input}`, ...shares];
}

/** "94.3 %". */
function formatTenths(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** "94 %". */
function formatShare(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
