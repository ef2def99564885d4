// The unrolled parts of matmuls by lookup tables (assembly/tiles/lookup), for scripts/tiles.mjs.

/** Tokens that share the lookups of a row. A lookup is `lanes / 8` vectors. */
export const lookupLanes = [16, 32, 64];
/** The same in base 3. Tables of 64 tokens would be 1 MB. */
const base3Lanes = [16, 32];
/** Lookups in one step of the loop over a row: more do not fit V8's registers. */
const lookupsPerStep = 4;

/**
 * Bytes of scratch: transposed columns of a block; or offsets of eight rows, a row's sums and the tokens'
 * scales.
 */
export const lookupScratchBytes = 256 * Math.max(...lookupLanes);

const decorator = "// @ts-ignore: decorator\n@inline\n";
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const indent = (lines, spaces) => lines.map((line) => " ".repeat(spaces) + line).join("\n");
const pair = ["a", "b"];

/** The nine sums of two columns, (c0 − 1) · x0 + (c1 − 1) · x1, as [name, expression]. */
const pairSums = (name, x0, x1, half) =>
  ["−−", "−0", "−+", "0−", "00", "0+", "+−", "+0", "++"].map((signs, index) => {
    const [u, v] = [x0 + half, x1 + half];
    const terms = {
      "++": `i16x8.add(${u}, ${v})`,
      "+−": `i16x8.sub(${u}, ${v})`,
      "−+": `i16x8.sub(${v}, ${u})`,
      "−−": `i16x8.sub(i16x8.sub(zero, ${u}), ${v})`,
      "+0": u,
      "0+": v,
      "−0": `i16x8.sub(zero, ${u})`,
      "0−": `i16x8.sub(zero, ${v})`,
      "00": "zero",
    };
    return [`${name}${index}${half}`, terms[signs]];
  });

/** Writes the 81 sums of four columns for sixteen tokens: two vectors side by side, for the revectorizer. */
function tableEntries() {
  const columns = pair.flatMap((half, i) =>
    upTo(4).map((k) => `const x${k}${half} = v128.load(from${k}, ${16 * i});`),
  );
  const low = pair.flatMap((half) =>
    pairSums("l", "x2", "x3", half).map(([name, sum]) => `const ${name} = ${sum};`),
  );
  const entries = upTo(9).flatMap((h) => [
    ...pair.map((half) => {
      const [name, sum] = pairSums("h", "x0", "x1", half)[h];
      return `const ${name} = ${sum};`;
    }),
    ...upTo(9).flatMap((l) => [
      ...pair.map((half, i) => `v128.store(to, i16x8.add(h${h}${half}, l${l}${half}), ${16 * i});`),
      "to += entryBytes;",
    ]),
  ]);
  return `/**
 * The table of four columns, for sixteen tokens: 81 entries every entryBytes.
 */
${decorator}export function tableEntries(from0: usize, from1: usize, from2: usize, from3: usize, to: usize, entryBytes: usize): void {
  const zero = i16x8.splat(0);
${indent([...columns, ...low, ...entries], 2)}
}
`;
}

/** Writes the 243 sums of five columns, for sixteen tokens likewise. */
function base3TableEntries() {
  const columns = pair.flatMap((half, i) =>
    upTo(5).map((k) => `const x${k}${half} = v128.load(from + ${k} * planeBytes, ${16 * i});`),
  );
  const low = pair.flatMap((half) =>
    pairSums("l", "x3", "x4", half).map(([name, sum]) => `const ${name} = ${sum};`),
  );
  const first = (digit, half, sum) =>
    [`i16x8.sub(${sum}, x0${half})`, sum, `i16x8.add(${sum}, x0${half})`][digit];
  const entries = upTo(9).flatMap((m) => [
    ...pair.map((half) => {
      const [name, sum] = pairSums("m", "x1", "x2", half)[m];
      return `const ${name} = ${sum};`;
    }),
    ...upTo(3).flatMap((digit) => [
      ...pair.map((half) => `const h${m}${digit}${half} = ${first(digit, half, `m${m}${half}`)};`),
      ...upTo(9).flatMap((l) =>
        pair.map(
          (half, i) =>
            `v128.store(to + ${81 * digit + l} * entryBytes, i16x8.add(h${m}${digit}${half}, l${l}${half}), ${16 * i});`,
        ),
      ),
    ]),
    "to += 9 * entryBytes;",
  ]);
  return `/** The table of five columns planeBytes apart, for sixteen tokens: 243 entries every entryBytes. */
${decorator}export function base3TableEntries(from: usize, planeBytes: usize, to: usize, entryBytes: usize): void {
  const zero = i16x8.splat(0);
${indent([...columns, ...low, ...entries], 2)}
}
`;
}

/** Adds up the lookups of a row. */
function rowSums(lanes, { name = "rowSums", entries = "TABLE_ENTRIES" } = {}) {
  const vectors = upTo(lanes / 8);
  const entryBytes = lanes * 2;
  const steps = upTo(lookupsPerStep).flatMap((i) => [
    `const e${i} = table + <usize>load<u16>(offsets, ${2 * i});`,
    ...vectors.map(
      (v) => `s${v} = i16x8.add(s${v}, v128.load(e${i}, ${i} * ${entries} * ${entryBytes} + ${16 * v}));`,
    ),
  ]);
  return `/** sums [${lanes}] i16 = the sums of one entry of each of the tables, at the offsets of a row. */
${decorator}export function ${name}${lanes}(offsets: usize, count: usize, table: usize, sums: usize): void {
${indent(
  vectors.map((v) => `let s${v} = i16x8.splat(0);`),
  2,
)}
  for (const end = offsets + (count << 1); offsets < end; ) {
${indent([...steps, `offsets += ${2 * lookupsPerStep}; table += ${lookupsPerStep} * ${entries} * ${entryBytes};`], 4)}
  }
${indent(
  vectors.map((v) => `v128.store(sums, s${v}, ${16 * v});`),
  2,
)}
}
`;
}

export const lookupTiles = [
  'import { TABLE_ENTRIES } from "../tiles/lookup";\n',
  tableEntries(),
  ...lookupLanes.map((lanes) => rowSums(lanes)),
];
export const base3LookupTiles = [
  'import { BASE3_ENTRIES } from "../tiles/lookup";\n',
  base3TableEntries(),
  ...base3Lanes.map((lanes) => rowSums(lanes, { name: "base3RowSums", entries: "BASE3_ENTRIES" })),
];
