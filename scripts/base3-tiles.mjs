// The unrolled tiles of base-3 layouts, for scripts/tiles.mjs. A block is 32 bytes of five weights each: five
// planes of 32 weights, first digits first.

/** The tiles, as [rows, tokens]. A tile has a companion for leftover rows: the same tokens, one row. */
const tiles = {
  rows: { decode: [4, 1], prefill: [2, 4] },
  groups: { decode: [2, 1], prefill: [2, 2] }, // one loop over rows for both, so they have equal rows
};
/** Groups of 128 that a tile of groups scales at once: a multiple of four, and of the five in four blocks. */
const chunkGroups = 20;

const decorator = "// @ts-ignore: decorator\n@inline\n";
const planes = 5;
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const halves = ["a", "b"];
const indent = (lines, spaces) => lines.map((line) => " ".repeat(spaces) + line).join("\n");
const rest = (p, v) => (p < planes - 1 ? [`${v} = rest(${v});`] : []);

/** A sum without its terms of factor 0, and without factors 1. */
const clean = (text) => text.replaceAll(/ \+ 0 \* (streamRows \* 4|yStride)/g, "").replaceAll(" 1 * ", " ");

/** Loads R rows of a block and adds their products with one token. Row by row: digits take registers. */
function decodeBlock(R) {
  return upTo(R).flatMap((r) => [
    `let v${r}a = v128.load(w${r}), v${r}b = v128.load(w${r}, 16);`,
    ...upTo(planes).flatMap((p) =>
      halves.flatMap((h, at) => {
        const name = `${r}${p}${h}`;
        return [
          `const p${name} = v128.load(x0, ${32 * p + 16 * at}), c${name} = digits(v${r}${h}, first3, second3);`,
          `s${r}0${h} = addDot<F>(s${r}0${h}, first<F>(p${name}), second<F>(p${name}), first<F>(c${name}), second<F>(c${name}));`,
          ...rest(p, `v${r}${h}`),
        ];
      }),
    ),
  ]);
}

/** The same for T tokens, which share digits. */
function prefillBlock(R, T) {
  return [
    ...upTo(R).map((r) => `let v${r}a = v128.load(w${r}), v${r}b = v128.load(w${r}, 16);`),
    ...upTo(planes).flatMap((p) =>
      halves.flatMap((h, at) => [
        ...upTo(R).flatMap((r) => [
          `const f${r}${p}${h} = digits(v${r}${h}, first3, second3), c${r}${p}${h} = first<F>(f${r}${p}${h}), d${r}${p}${h} = second<F>(f${r}${p}${h});`,
          ...rest(p, `v${r}${h}`),
        ]),
        ...upTo(T).flatMap((t) => [
          `const p${t}${p}${h} = v128.load(x${t}, ${32 * p + 16 * at}), e${t}${p}${h} = first<F>(p${t}${p}${h}), o${t}${p}${h} = second<F>(p${t}${p}${h});`,
          ...upTo(R).map(
            (r) =>
              `s${r}${t}${h} = addDot<F>(s${r}${t}${h}, e${t}${p}${h}, o${t}${p}${h}, c${r}${p}${h}, d${r}${p}${h});`,
          ),
        ]),
      ]),
    ),
  ];
}

/** A tile. With one token, rows lie anywhere, as in a list. With several tokens, rows are a stream apart. */
function tile(name, [R, T]) {
  const apart = R > 1 && T > 1;
  const parameters = [
    ...(T > 1 ? ["w0"] : upTo(R).map((r) => `w${r}`)),
    ...(apart ? ["streamBytes"] : []),
    "blocks",
    "x0",
    ...(T > 1 ? ["xStride"] : []),
    "record",
    ...(T > 1 ? ["y"] : upTo(R).map((r) => `y${r}`)),
    ...(apart ? ["streamRows"] : []),
    ...(T > 1 ? ["yStride"] : []),
    "scratch",
  ];
  const all = upTo(R).flatMap((r) => upTo(T).map((t) => [r, t]));
  const sums = all.flatMap(([r, t]) => halves.map((h) => `${r}${t}${h}`));
  const out = (r, t) => (T > 1 ? `y + ${r} * streamRows * 4 + ${t} * yStride` : `y${r}`);
  const walks = [
    ...(apart
      ? upTo(R)
          .slice(1)
          .map((r) => `let w${r} = w0 + ${r} * streamBytes;`)
      : []),
    ...upTo(T)
      .slice(1)
      .map((t) => `let x${t} = x0 + ${t} * xStride;`),
  ];
  const steps = [
    ...upTo(R).map((r) => `w${r} += BASE3_BLOCK_BYTES;`),
    ...upTo(T).map((t) => `x${t} += BASE3_BLOCK_COLS;`),
  ].join(" ");
  return `/** ${R} × ${T}. */
${decorator}export function ${name}<F>(${parameters.map((p) => `${p}: usize`).join(", ")}, scale: f32, accumulate: bool): void {
  const first3 = firstThird(), second3 = secondThird(), zero = i32x4.splat(0);
${indent([...walks.map(clean), ...sums.map((s) => `let t${s} = zero;`)], 2)}
  for (let block: usize = 0; block < blocks; ) {
${indent(
  sums.map((s) => `let s${s} = hasSums16<F>() ? zero : t${s};`),
  4,
)}
    const stop = hasSums16<F>() ? min(blocks, block + BASE3_FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
${indent([...(T > 1 ? prefillBlock(R, T) : decodeBlock(R)), steps], 6)}
    }
${indent(
  sums.map((s) => `t${s} = hasSums16<F>() ? flush(t${s}, s${s}) : s${s};`),
  4,
)}
  }
${indent(
  sums.map((s, i) => `v128.store(scratch, t${s}, ${16 * i});`),
  2,
)}
${indent(
  all.map(([r, t], i) =>
    clean(
      `finish(${out(r, t)}, scratch + ${32 * i}, record + ${t} * RECORD_BYTES, scale, accumulate);`
        .replace("scratch + 0,", "scratch,")
        .replace(" + 0 * RECORD_BYTES", ""),
    ),
  ),
  2,
)}
}
`;
}

/**
 * Adds four blocks of R rows to sums of T tokens: 20 planes of 32 weights, so five groups of four planes. A
 * group's sums are stored when it is complete.
 */
function groupsPeriod(R, T) {
  const all = upTo(R).flatMap((r) => upTo(T).map((t) => [r, t]));
  const lines = [];
  for (const block of upTo(4)) {
    for (const r of upTo(R))
      lines.push(
        `${block === 0 ? "let " : ""}v${r}a = v128.load(w${r}, ${32 * block})${block === 0 ? "," : ";"} v${r}b = v128.load(w${r}, ${32 * block + 16});`,
      );
    for (const p of upTo(planes)) {
      const plane = planes * block + p;
      for (const [at, h] of halves.entries()) {
        for (const r of upTo(R)) {
          lines.push(
            `const f${r}${plane}${h} = digits(v${r}${h}, first3, second3), c${r}${plane}${h} = first<F>(f${r}${plane}${h}), d${r}${plane}${h} = second<F>(f${r}${plane}${h});`,
            ...rest(p, `v${r}${h}`),
          );
        }
        for (const t of upTo(T)) {
          lines.push(
            `const p${t}${plane}${h} = v128.load(x${t}, ${32 * plane + 16 * at}), e${t}${plane}${h} = first<F>(p${t}${plane}${h}), o${t}${plane}${h} = second<F>(p${t}${plane}${h});`,
          );
          for (const r of upTo(R)) {
            const s = `s${r}${t}${h}`;
            const operands = `e${t}${plane}${h}, o${t}${plane}${h}, c${r}${plane}${h}, d${r}${plane}${h}`;
            lines.push(
              plane % 4 === 0
                ? `${plane === 0 ? "let " : ""}${s} = dot<F>(${operands});`
                : `${s} = addDot<F>(${s}, ${operands});`,
            );
          }
        }
      }
      if (plane % 4 === 3) {
        for (const [i, [r, t]] of all.entries()) {
          const to = i * chunkGroups * 32 + 32 * Math.floor(plane / 4);
          lines.push(`v128.store(sums, s${r}${t}a, ${to}); v128.store(sums, s${r}${t}b, ${to + 16});`);
        }
      }
    }
  }
  return lines;
}

/** A tile of base-3 groups. The scratch holds a chunk's sums, and then its scales as f32. */
function groupsTile(name, [R, T]) {
  const all = upTo(R).flatMap((r) => upTo(T).map((t) => [r, t]));
  const parameters = [
    "w0",
    ...(R > 1 ? ["streamBytes"] : []),
    "c0",
    ...(R > 1 ? ["streamScaleBytes"] : []),
    "groups",
    "x0",
    ...(T > 1 ? ["xStride"] : []),
    "record",
    "y",
    ...(R > 1 ? ["streamRows"] : []),
    ...(T > 1 ? ["yStride"] : []),
    "scratch",
  ];
  const sumBytes = chunkGroups * 32;
  const scales = (r) => `scratch + ${sumBytes * R * T + chunkGroups * 4 * r}`;
  const steps = [
    ...upTo(R).map((r) => `w${r} += 4 * BASE3_BLOCK_BYTES;`),
    ...upTo(T).map((t) => `x${t} += 4 * BASE3_BLOCK_COLS;`),
  ].join(" ");
  return `/** ${R} × ${T}. */
${decorator}export function ${name}<F>(${parameters.map((p) => `${p}: usize`).join(", ")}, scale: f32, accumulate: bool): void {
  const first3 = firstThird(), second3 = secondThird(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
${indent(
  [
    ...upTo(R)
      .slice(1)
      .map((r) => clean(`let w${r} = w0 + ${r} * streamBytes;`)),
    ...upTo(T)
      .slice(1)
      .map((t) => clean(`let x${t} = x0 + ${t} * xStride;`)),
    ...all.map(([r, t]) => `let y${r}${t} = zero;`),
  ],
  2,
)}
  for (let group: usize = 0; group < groups; group += CHUNK_GROUPS) {
    const count = min(CHUNK_GROUPS, groups - group);
    const end = scratch + (count << 5);
    for (let sums = scratch; sums < end; sums += ${5 * 32}) {
${indent([...groupsPeriod(R, T), steps], 6)}
    }
${indent(
  [
    ...upTo(R).map((r) =>
      clean(`widenScales(c0${r === 0 ? "" : ` + ${r} * streamScaleBytes`} + group, count, ${scales(r)});`),
    ),
    "const values = record + (group << 2);",
    ...all.map(([r, t], i) =>
      clean(
        `y${r}${t} = addScaled<F>(y${r}${t}, scratch${i === 0 ? "" : ` + ${sumBytes * i}`}, count, ${scales(r)}, values${t === 0 ? "" : ` + ${t} * (valueBytes << 1)`}, valueBytes, ones);`,
      ),
    ),
  ],
  4,
)}
  }
${indent(
  all.map(([r, t]) =>
    clean(`finish(y + ${r} * streamRows * 4 + ${t} * yStride, y${r}${t}, scale, accumulate);`),
  ),
  2,
)}
}
`;
}

const sizes = ({ decode, prefill }) => `/** Rows and tokens of the tiles. */
${decorator}export const DECODE_ROWS: usize = ${decode[0]};
${decorator}export const PREFILL_ROWS: usize = ${prefill[0]};
${decorator}export const PREFILL_TOKENS: usize = ${prefill[1]};
`;

/** The text of assembly/generated/base3-tiles.ts after its first line. */
export const base3Tiles = [
  `import { addDot, first, flush, hasSums16, second } from "../simd/dot";
import { BASE3_BLOCK_BYTES, BASE3_BLOCK_COLS, BASE3_FLUSH_BLOCKS, digits, firstThird, rest, secondThird } from "../simd/base3";
import { RECORD_BYTES, finish } from "../tiles/ternary-rows";
`,
  sizes(tiles.rows),
  tile("decodeTile", tiles.rows.decode),
  tile("decodeRow", [1, 1]),
  tile("prefillTile", tiles.rows.prefill),
  tile("prefillRow", [1, tiles.rows.prefill[1]]),
];

/** The text of assembly/generated/base3-group-tiles.ts after its first line. */
export const base3GroupTiles = [
  `import { addDot, dot, first, pairMask, second } from "../simd/dot";
import { BASE3_BLOCK_BYTES, BASE3_BLOCK_COLS, digits, firstThird, rest, secondThird } from "../simd/base3";
import { widenScales } from "../tiles/base3-groups";
import { addScaled, finish, groupBytes } from "../tiles/ternary-groups";
`,
  sizes(tiles.groups),
  `/** Groups of 128 that a tile scales at once. */
${decorator}const CHUNK_GROUPS: usize = ${chunkGroups};
`,
  groupsTile("decodeTile", tiles.groups.decode),
  groupsTile("decodeRow", [1, 1]),
  groupsTile("prefillTile", tiles.groups.prefill),
];

const largest = (shapes, bytes) => Math.max(...Object.values(shapes).map(bytes));
/** Bytes of scratch for a matmul of rows: 32 for a sum of the largest tile. */
export const base3ScratchBytes = largest(tiles.rows, ([rows, tokens]) => 32 * rows * tokens);
/** The same for groups: sums and scales of a chunk. */
export const base3GroupScratchBytes = largest(
  tiles.groups,
  ([rows, tokens]) => chunkGroups * (32 * rows * tokens + 4 * rows),
);
