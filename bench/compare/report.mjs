// Turns measurements into tables, for a terminal and for Markdown.
import { spreadOf } from "../../dist/tools/benchmark/statistics.js";
import { isDisturbed } from "./disturbance.mjs";

/** Ids of the sides that other sides are compared with, if present. */
const baselines = ["native", "llama", "wllama", "node24"];

const spread = (values, digits) => {
  const { median, min, max } = spreadOf(values);
  if (values.length === 1) return median.toFixed(digits);
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
};

/** Of two sides, round by round: what disturbs a round disturbs both. */
export function ratiosByRound(samples, baseline) {
  return samples.map((value, round) => value / baseline[round]);
}

/**
 * For each round, the bytes per second of a side, relative to the highest read speed of any side. It
 * shows how close decoding is to the limit of the machine's memory.
 */
export function limitShares(record, side, samples) {
  const reads = Object.values(record.tests.find(({ kind }) => kind === "read")?.samples ?? {});
  if (reads.length === 0 || side.bytesPerToken === undefined) return [];
  return samples.map((perSecond, round) => {
    const most = Math.max(...reads.map((values) => values[round]));
    return (perSecond * side.bytesPerToken) / most;
  });
}

/** Pads the columns of a Markdown table, so that its source is readable. */
function table(head, rows) {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => cells[column].length)),
  );
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function speedTable(record, test) {
  const sides = record.sides.filter(({ id }) => test.samples[id]?.length > 0);
  const against = baselines
    .map((id) => sides.find((side) => side.id === id))
    .filter((side) => side !== undefined && sides.length > 1);
  const decodes = test.kind === "tg" && test.position === 0;
  const rows = sides.map((side) => {
    const samples = test.samples[side.id];
    const shares = decodes ? limitShares(record, side, samples) : [];
    return [
      side.version,
      spread(samples, 1),
      ...(decodes ? [shares.length > 0 ? spread(shares, 2) : "–"] : []),
      ...against.map((other) =>
        other === side ? "1" : spread(ratiosByRound(samples, test.samples[other.id]), 2),
      ),
    ];
  });
  const head = [
    "runtime",
    "tokens/s",
    ...(decodes ? ["of what memory allows"] : []),
    ...against.map(({ version }) => `× ${version}`),
  ];
  return table(head, rows);
}

const seconds = (values) =>
  spread(
    values.map((ms) => ms / 1000),
    2,
  );
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const percent = (shares) =>
  `${(Math.min(...shares) * 100).toFixed(0)}–${(Math.max(...shares) * 100).toFixed(0)} %`;
const gigabytes = (bytes) => (bytes === undefined ? "–" : (bytes / 1e9).toFixed(2));

function startTable(record) {
  const first = record.tests.find(({ kind }) => kind === "first");
  const sides = record.sides.filter(({ loads }) => loads.length > 0);
  const rows = sides.map((side) => [
    side.version,
    side.kernelBuild ?? "–",
    seconds(side.loads.map(({ loadMs }) => loadMs)),
    seconds(side.loads.map(({ firstTokenMs }) => firstTokenMs)),
    first === undefined ? "–" : spread(first.samples[side.id], 0),
    gigabytes(side.afterLoadBytes),
    gigabytes(side.peakRssBytes),
  ]);
  const head = [
    "runtime",
    "kernels",
    "load, s",
    "load to first token, s",
    "prompt to first token, ms",
    "memory after load, GB",
    "most, GB",
  ];
  return table(head, rows);
}

function readLine(record) {
  const samples = record.tests.find(({ kind }) => kind === "read")?.samples ?? {};
  const fastest = record.sides
    .filter(({ id }) => samples[id]?.length > 0)
    .sort((a, b) => spreadOf(samples[b.id]).median - spreadOf(samples[a.id]).median)[0];
  if (fastest === undefined) return [];
  const gbPerSecond = samples[fastest.id].map((value) => value / 1e9);
  const limit = (spreadOf(gbPerSecond).median * 1e9) / fastest.bytesPerToken;
  return [
    `Memory: the same threads read weights and do nothing else at ${spread(gbPerSecond, 1)} GB/s (${fastest.version}). ` +
      `A token reads ${(fastest.bytesPerToken / 1e6).toFixed(0)} MB here, so that ${limit.toFixed(1)} tokens/s are what memory allows.`,
  ];
}

/** One row per side, one column per position; in brackets the ratio to position 0 of the same round. */
function positionTable(record) {
  const tests = record.tests.filter(({ kind }) => kind === "tg");
  const start = tests.find(({ position }) => position === 0);
  const sides = record.sides.filter(({ id }) => tests.every(({ samples }) => samples[id]?.length > 0));
  const rows = sides.map(({ id, version }) => [
    version,
    ...tests.map(({ samples, position }) => {
      const speed = spreadOf(samples[id]).median.toFixed(1);
      if (start === undefined || position === 0) return speed;
      return `${speed} (${spreadOf(ratiosByRound(samples[id], start.samples[id])).median.toFixed(2)})`;
    }),
  ]);
  return table(["runtime", ...tests.map(({ position }) => `tokens/s at ${position}`)], rows);
}

const titles = { pp: "prompt", tg: "decode" };

/** Everything that is printed of a record. */
export function describeRecord(record) {
  const { machine, options } = record;
  const rival = record.sides.find(({ id }) => id === "llama");
  const far = record.tests.find(({ kind, position }) => kind === "tg" && position > 0);
  const near = record.tests.find(({ kind, position }) => kind === "tg" && position === 0);
  const positions = record.options.positions !== undefined;
  const farSide = !positions && far && record.sides.find(({ id }) => far.samples[id]?.length > 0);
  return [
    `${options.size}, ${plural(options.threads, "thread")}; ${machine.cpu}, ${machine.cores} cores, ${gigabytes(machine.memoryBytes)} GB, ` +
      `${machine.platform} ${machine.arch}; ${record.date.slice(0, 10)}, commit ${record.commit}`,
    ...(rival
      ? [
          `${rival.version} (llama.cpp ${rival.release ?? "?"}) runs the same weights as TQ2_0, on Node.js ${record.node}`,
        ]
      : []),
    `Median (least–most) of ${plural(options.rounds, "round")}, and of ${plural(options.loads, "start")} for loading; ratios are taken in each round.`,
    `Others had ${percent(record.othersShare)} of the processors during the rounds${isDisturbed(record) ? ": too much to compare anything, measure again when less else runs" : ""}.`,
    ...readLine(record),
    ...(positions ? ["", "decode by position", "", positionTable(record)] : []),
    ...record.tests
      .filter(() => !positions)
      .filter(({ kind, position }) => titles[kind] !== undefined && position === 0)
      .flatMap((test) => ["", `${titles[test.kind]}, ${test.name}`, "", speedTable(record, test)]),
    "",
    "start and memory",
    "",
    startTable(record),
    ...(farSide && near
      ? [
          "",
          `decode at position ${far.position} against position 0, ${farSide.version}: ` +
            spread(ratiosByRound(far.samples[farSide.id], near.samples[farSide.id]), 2),
        ]
      : []),
  ].join("\n");
}
