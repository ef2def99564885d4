// Writes assembly/generated: the unrolled tiles of the ternary matmuls, and kernels that differ from another
// in a type only. Registers have no index, so each sum of a tile needs a name: R rows × T tokens have R · T
// sums, each in two halves.
//
//   node scripts/tiles.mjs            after a change here, or in a kernel that is a base of variants
//   node scripts/tiles.mjs --check    fails if a file is out of date (part of npm run check)
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { base3GroupScratchBytes, base3GroupTiles, base3ScratchBytes, base3Tiles } from "./base3-tiles.mjs";
import { affineTile, affineTiles, largestAffineTile } from "./affine-tiles.mjs";
import { base3LookupTiles, lookupScratchBytes, lookupTiles } from "./lookup-tiles.mjs";
import { variants, withVariants } from "./kernel-variants.mjs";

/**
 * The tiles, as [rows, tokens]. To try another, change a number, run this script and build: the loops over
 * ranges and the sizes of scratch follow. A tile has a companion for leftover rows, with the same tokens and
 * one row.
 */
const tiles = {
  rows: { decode: [4, 1], prefill: [2, 4], listed: [4, 1] }, // matmulListed passes the addresses of four rows
  wide: { four: [1, 4], three: [1, 3] }, // for registers of 256 bits: one row each
  groups: { decode: [3, 1], prefill: [3, 2] }, // one loop over rows for both, so they have equal rows
};

/** Bytes of scratch for a matmul: 32 for a sum of the largest tile, in groups for each of 32 groups. */
const largest = (shapes) => Math.max(...Object.values(shapes).map(([rows, tokens]) => rows * tokens));
/** Rows of a chunk whose totals of four tokens lie in scratch, in assembly/kernels/matmul-ternary. */
const wideRows = 256;
export const ternaryScratchBytes = Math.max(
  32 * largest(tiles.rows),
  32 * largest(tiles.wide) + 16 * wideRows,
  base3ScratchBytes,
);
export const groupScratchBytes = Math.max(1024 * largest(tiles.groups), base3GroupScratchBytes);
export { lookupScratchBytes };
/** Eight f32 for each token. */
export const affineScratchBytes = 32 * largestAffineTile;

const assembly = fileURLToPath(new URL("../assembly", import.meta.url));
const made = "// Made by scripts/tiles.mjs. Do not edit.\n";
const decorator = "// @ts-ignore: decorator\n@inline\n";
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const halves = ["a", "b"];

/**
 * Loads R rows of a block of 128 weights and adds their products with T tokens; `add` gives one statement's
 * text.
 */
function block(R, T, add, afterField = () => "") {
  const lines = upTo(R).map((r) => `const v${r}a = v128.load(w${r}), v${r}b = v128.load(w${r}, 16);`);
  for (const field of upTo(4)) {
    for (const [at, h] of halves.entries()) {
      const codes = (r, part) => `${part}Codes<F>(v${r}${h}, ${6 - 2 * field}, mask)`;
      const name = (index) => `${index}${field}${h}`;
      // Several tokens share unpacked codes. One token has no use for names that live longer.
      if (T > 1) {
        for (const r of upTo(R))
          lines.push(`const c${name(r)} = ${codes(r, "first")}, d${name(r)} = ${codes(r, "second")};`);
      }
      for (const t of upTo(T)) {
        const p = `p${name(t)}`;
        lines.push(
          `const ${p} = v128.load(x${t}, ${32 * field + 16 * at}), e${name(t)} = first<F>(${p}), o${name(t)} = second<F>(${p});`,
        );
        for (const r of upTo(R)) {
          const operands = T > 1 ? `c${name(r)}, d${name(r)}` : `${codes(r, "first")}, ${codes(r, "second")}`;
          lines.push(add(field, `s${r}${t}${h}`, `e${name(t)}, o${name(t)}, ${operands}`));
        }
      }
    }
    lines.push(...afterField(field));
  }
  const steps = [
    ...upTo(R).map((r) => `w${r} += BLOCK_BYTES;`),
    ...upTo(T).map((t) => `x${t} += BLOCK_COLS;`),
  ];
  return { lines, steps: steps.join(" ") };
}

const indent = (lines, spaces) => lines.map((line) => " ".repeat(spaces) + line).join("\n");
const pairs = (R, T) => upTo(R * T).map((i) => [Math.floor(i / T), i % T]);
/** A sum of `factor · term`, without the terms of factor 0. */
const sum = (...terms) =>
  terms
    .filter(([factor, term]) => factor > 0 && term !== 0)
    .map(([factor, term]) => (factor === 1 ? term : `${factor} * ${term}`))
    .join(" + ");
/** `let w1 = w0 + step, w2 = w1 + step;` */
const walk = (name, step, count) =>
  count < 2
    ? []
    : [
        `let ${upTo(count - 1)
          .map((i) => `${name}${i + 1} = ${name}${i} + ${step}`)
          .join(", ")};`,
      ];

/** Sums go on from block to block. */
function chained(R, T) {
  return block(R, T, (_, s, operands) => `${s} = addDot<F>(${s}, ${operands});`);
}

/** In form i32, the sums of each block begin anew (simd/dot). */
function split(R, T, sums) {
  return block(
    R,
    T,
    (field, s, operands) => {
      const q = s.replace("s", "q");
      return field === 0
        ? `let ${q} = startDot<F>(${s}, ${operands});`
        : `${q} = addDot<F>(${q}, ${operands});`;
    },
    (field) => (field < 3 ? [] : sums.map((s) => `s${s} = endDot<F>(s${s}, q${s});`)),
  );
}

/**
 * A tile of ternary-rows. With one token, rows lie anywhere, as in a list. With several tokens, rows are a
 * stream apart.
 */
function rowsTile(name, [R, T]) {
  const apart = R > 1 && T > 1;
  const each = (text) => (T > 1 ? [] : upTo(R).map((i) => text + i));
  const parameters = [
    ...(T > 1 ? ["w0"] : each("w")),
    ...(apart ? ["streamBytes"] : []),
    "blocks",
    "x0",
    ...(T > 1 ? ["xStride"] : []),
    "record",
    ...(T > 1 ? ["y"] : each("y")),
    ...(apart ? ["streamRows"] : []),
    ...(T > 1 ? ["yStride"] : []),
    "scratch",
  ];
  const sums = pairs(R, T).flatMap(([r, t]) => halves.map((h) => `${r}${t}${h}`));
  const { lines, steps } = T > 1 ? chained(R, T) : split(R, T, sums);
  const out = (r, t) => (T > 1 ? sum([1, "y"], [r, "streamRows * 4"], [t, "yStride"]) : `y${r}`);
  const finishOne = (r, t) => {
    const [from, record] = [
      sum([1, "scratch"], [1, 32 * (r * T + t)]),
      sum([1, "record"], [t, "RECORD_BYTES"]),
    ];
    return `finish(${out(r, t)}, ${from}, ${record}, scale, accumulate);`;
  };
  const finishRow = (r) =>
    `finishFour(${out(r, 0)}, yStride, ${sum([1, "scratch"], [1, 32 * r * T])}, record, scale, accumulate);`;
  const finishes = T === 4 ? upTo(R).map(finishRow) : pairs(R, T).map(([r, t]) => finishOne(r, t));
  return `/** ${R} × ${T}. */
${decorator}export function ${name}<F>(${parameters.map((p) => `${p}: usize`).join(", ")}, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
${indent([...(apart ? walk("w", "streamBytes", R) : []), ...walk("x", "xStride", T)], 2)}
${sumBlocks(sums, [...lines, steps])}
${indent(finishes, 2)}
}
`;
}

/** Sums of all blocks, in scratch. */
function sumBlocks(sums, lines) {
  return `${indent(
    sums.map((s) => `let t${s} = zero;`),
    2,
  )}
  for (let block: usize = 0; block < blocks; ) {
${indent(
  sums.map((s) => `let s${s} = hasSums16<F>() ? zero : t${s};`),
  4,
)}
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
${indent(lines, 6)}
    }
${indent(
  sums.map((s) => `t${s} = hasSums16<F>() ? flush(t${s}, s${s}) : s${s};`),
  4,
)}
  }
${indent(
  sums.map((s, i) => `v128.store(scratch, t${s}, ${16 * i});`),
  2,
)}`;
}

/**
 * A tile of one row of ternary-rows for 256 bits, up to four tokens, and a piece of the columns. The sums of
 * each block begin anew: four tokens leave registers for that. Without it the tile has 0.7 of its speed.
 */
function wideTile(name, [, T]) {
  const sums = pairs(1, T).flatMap(([r, t]) => halves.map((h) => `${r}${t}${h}`));
  const { lines, steps } = split(1, T, sums);
  return `/** 1 × ${T}, added to totals if there are some already. */
${decorator}export function ${name}<F>(w0: usize, blocks: usize, x0: usize, xStride: usize, totals: usize, scratch: usize, more: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
${indent(walk("x", "xStride", T), 2)}
${sumBlocks(sums, [...lines, steps])}
  addTotals(totals, scratch, ${T}, more);
}
`;
}

/** The decode tile on rows that are a stream apart. */
function decodeStreams(R) {
  const each = (text) => upTo(R).map(text).join(", ");
  return `/** The decode tile on rows that are streamRows apart. */
${decorator}export function decodeStreams<F>(w: usize, streamRows: usize, rowBytes: usize, blocks: usize, x: usize, record: usize, y: usize, scratch: usize, scale: f32, accumulate: bool): void {
  decodeTile<F>(${each((r) => sum([1, "w"], [r, "streamRows * rowBytes"]))}, blocks, x, record, ${each((r) => sum([1, "y"], [4 * r, "streamRows"]))}, scratch, scale, accumulate);
}
`;
}

/** A tile of ternary-groups. With groups of 64, half a block, sums are stored after the second field too. */
function groupsTile(name, [R, T]) {
  const apart = R > 1;
  const parameters = [
    "w0",
    ...(apart ? ["streamBytes"] : []),
    "c0",
    ...(apart ? ["streamScaleBytes"] : []),
    "groups",
    "x0",
    ...(T > 1 ? ["xStride"] : []),
    "record",
    "y",
    ...(apart ? ["streamRows"] : []),
    ...(T > 1 ? ["yStride"] : []),
    "scratch",
  ];
  const stores = pairs(R, T).map(
    ([r, t], i) =>
      `v128.store(sums, s${r}${t}a, ${1024 * i}); v128.store(sums, s${r}${t}b, ${1024 * i + 16});`,
  );
  const { lines, steps } = block(
    R,
    T,
    (field, s, operands) => {
      if (field === 0) return `let ${s} = dot<F>(${operands});`;
      const added = `addDot<F>(${s}, ${operands})`;
      return field === 2 ? `${s} = halved ? dot<F>(${operands}) : ${added};` : `${s} = ${added};`;
    },
    (field) =>
      field === 1
        ? ["if (halved) {", ...[...stores, "sums += SUM_BYTES;"].map((line) => `  ${line}`), "}"]
        : [],
  );
  const totals = pairs(R, T);
  const scaled = totals.map(([r, t], i) => {
    const operands = [
      sum([1, "scratch"], [i, "CHUNK_BYTES"]),
      "count",
      sum([1, "scales"], [r, "streamScaleBytes"]),
      sum([1, "values"], [t, "(valueBytes << 1)"]),
    ];
    return `y${r}${t} = addScaled<F>(y${r}${t}, ${operands.join(", ")}, valueBytes, ones);`;
  });
  return `/** ${R} × ${T}. \`halved\`: groups are of 64, half a block. */
${decorator}export function ${name}<F>(halved: bool, ${parameters.map((p) => `${p}: usize`).join(", ")}, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
${indent([...(apart ? walk("w", "streamBytes", R) : []), ...walk("x", "xStride", T)], 2)}
${indent(
  totals.map(([r, t]) => `let y${r}${t} = zero;`),
  2,
)}
  for (let group: usize = 0; group < groups; group += CHUNK_GROUPS) {
    const count = min(CHUNK_GROUPS, groups - group);
    const end = scratch + count * SUM_BYTES;
    for (let sums = scratch; sums < end; ) {
${indent([...lines, ...stores, `sums += SUM_BYTES; ${steps}`], 6)}
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
${indent(scaled, 4)}
  }
${indent(
  totals.map(
    ([r, t]) =>
      `finish(${sum([1, "y"], [r, "streamRows * 4"], [t, "yStride"])}, y${r}${t}, scale, accumulate);`,
  ),
  2,
)}
}
`;
}

const imports = (names, from) => `import { ${names} } from "${from}";\n`;
const sizes = ({ decode, prefill }) => `/** Rows and tokens of the tiles. */
${decorator}export const DECODE_ROWS: usize = ${decode[0]};
${decorator}export const PREFILL_ROWS: usize = ${prefill[0]};
${decorator}export const PREFILL_TOKENS: usize = ${prefill[1]};
`;
const wideSizes = `/** Rows of a chunk of the wide tiles, and the bytes of their sums in scratch before totals. */
${decorator}export const WIDE_ROWS: usize = ${wideRows};
${decorator}export const WIDE_SUMS_BYTES: usize = ${32 * largest(tiles.wide)};
`;
const generated = {
  "generated/ternary-tiles.ts": [
    imports(
      "BLOCK_BYTES, BLOCK_COLS, FLUSH_BLOCKS, addDot, codeMask, endDot, first, firstCodes, flush, hasSums16, second, secondCodes, startDot",
      "../simd/dot",
    ) + imports("RECORD_BYTES, addTotals, finish, finishFour", "../tiles/ternary-rows"),
    sizes(tiles.rows),
    wideSizes,
    rowsTile("decodeTile", tiles.rows.decode),
    rowsTile("decodeRow", [1, 1]),
    rowsTile("prefillTile", tiles.rows.prefill),
    rowsTile("prefillRow", [1, tiles.rows.prefill[1]]),
    wideTile("wideTile4", tiles.wide.four),
    wideTile("wideTile3", tiles.wide.three),
    decodeStreams(tiles.rows.decode[0]),
    rowsTile("listedTile", tiles.rows.listed),
  ],
  "generated/ternary-group-tiles.ts": [
    imports(
      "BLOCK_BYTES, BLOCK_COLS, addDot, codeMask, dot, first, firstCodes, pairMask, second, secondCodes",
      "../simd/dot",
    ) +
      imports(
        "CHUNK_BYTES, CHUNK_GROUPS, SUM_BYTES, addScaled, finish, groupBytes",
        "../tiles/ternary-groups",
      ),
    sizes(tiles.groups),
    groupsTile("decodeTile", tiles.groups.decode),
    groupsTile("decodeRow", [1, 1]),
    groupsTile("prefillTile", tiles.groups.prefill),
  ],
  "generated/base3-group-tiles.ts": base3GroupTiles,
  "generated/base3-tiles.ts": base3Tiles,
  "generated/base3-lookup-tiles.ts": base3LookupTiles,
  "generated/lookup-tiles.ts": lookupTiles,
  "generated/affine-tiles.ts": [
    imports("addGroup, addSteps, firstSum, floatBias, nibbleMask, start, total, widened", "../tiles/affine"),
    ...affineTiles.map(affineTile),
  ],
};

function main({ check }) {
  const files = [
    ...Object.entries(generated).map(([file, parts]) => [file, [made, ...parts].join("\n")]),
    ...Object.entries(variants).map(([file, bases]) => [
      file,
      withVariants(file, readFileSync(join(assembly, file), "utf8"), bases),
    ]),
  ];
  const stale = files.filter(([file, text]) => {
    if (!check) writeFileSync(join(assembly, file), text);
    return readFileSync(join(assembly, file), "utf8") !== text;
  });
  for (const [file] of stale)
    console.error(`assembly/${file} is not what scripts/tiles.mjs writes: run the script`);
  process.exitCode = stale.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main({ check: process.argv.includes("--check") });
