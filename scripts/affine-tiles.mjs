// The text of the tiles for panels of integer codes × int8 activations: P panels of 8 rows × T tokens.
// scripts/tiles.mjs writes it.

const decorator = "// @ts-ignore: decorator\n@inline\n";
const upTo = (count) => Array.from({ length: count }, (_, i) => i);
const halves = ["a", "b"];

/**
 * How codes are stored.
 *
 *   codes     a byte each, below 64
 *   nibbles   four bits each: a byte has a step's code in its low half and the next step's in its high half
 *   bytes     a byte each of 8 bits, multiplied by halves: the high halves first, so that one sum suffices
 */
const stored = ["codes", "nibbles", "bytes"];
/** Panels × tokens: a panel for several tokens, panels of several streams for a token, and leftovers. */
const shapes = [
  { panels: 1, tokens: 4 },
  { panels: 4, tokens: 1 },
  { panels: 1, tokens: 1 },
];
export const affineTiles = stored.flatMap((name) => shapes.map((shape) => ({ stored: name, ...shape })));

/** Panels times tokens of the largest tile. */
export const largestAffineTile = Math.max(...affineTiles.map(({ panels, tokens }) => panels * tokens));

/** The name of a tile. */
export const affineTileName = ({ stored, panels, tokens }) => `${stored}${panels}x${tokens}`;

const low = (text) => `v128.and(${text}, nibbles)`;
const high = (text) => low(`i16x8.shr_u(${text}, 4)`);

/** Loads the codes of two steps of panel p: rows 0…3 are a<p> and c<p>, rows 4…7 b<p> and d<p>. */
function codesOf(p, stored, part) {
  const load = (at) => `v128.load(w${p}, ${at})`;
  if (stored === "nibbles") {
    return [
      `const u${p} = ${load(0)}, v${p} = ${load(16)};`,
      `const a${p} = ${low(`u${p}`)}, b${p} = ${low(`v${p}`)}, c${p} = ${high(`u${p}`)}, d${p} = ${high(`v${p}`)};`,
    ];
  }
  return [
    `const ${["a", "b", "c", "d"].map((name, i) => `${name}${p} = ${part(load(16 * i))}`).join(", ")};`,
  ];
}

/**
 * A loop over a group, two steps at a time. A panel's codes are loaded once for all tokens, activations once
 * for all panels. The unrolled group was slower: V8 moved loads up and spilled them.
 */
function groupLoop({ stored, panels, tokens }, part) {
  const one = panels === 1;
  const lines = upTo(tokens).flatMap((t) => [
    `const x${t}a = v128.load32_splat(x${t}), x${t}b = v128.load32_splat(x${t}, 4);`,
    ...upTo(panels).flatMap((p) => [
      ...(one ? [] : codesOf(p, stored, part)),
      ...halves.map((h, i) => {
        const operands = `x${t}a, x${t}b, ${["a", "b"][i]}${p}, ${["c", "d"][i]}${p}`;
        return `s${p}${t}${h} = addSteps<F>(${stored !== "codes"}, s${p}${t}${h}, ${operands});`;
      }),
    ]),
  ]);
  const wBytes = stored === "nibbles" ? 32 : 64;
  return [
    "for (let k: usize = 0; k < group; k += 8) {",
    ...[
      ...(one ? codesOf(0, stored, part) : []),
      ...lines,
      [...upTo(panels).map((p) => `w${p} += ${wBytes};`), ...upTo(tokens).map((t) => `x${t} += 8;`)].join(
        " ",
      ),
    ].map((line) => `  ${line}`),
    "}",
  ];
}

/** One group of columns. */
function groupLines(tile) {
  const { stored, panels, tokens } = tile;
  const [everyPanel, everyToken] = [upTo(panels), upTo(tokens)];
  const sums = everyToken.flatMap((t) =>
    everyPanel.flatMap((p) => halves.map((h) => ({ t, p, h, s: `${p}${t}${h}` }))),
  );
  const narrow = stored !== "codes";
  const lines = everyToken.flatMap((t) => [
    `const r${t} = x${t} + toRecords;`,
    `const i${t} = start(minima, group, shift, r${t}, bias);`,
  ]);
  if (stored === "bytes") {
    lines.push(
      ...sums.map(({ s }) => `let s${s} = i32x4.splat(0);`),
      ...groupLoop(tile, high),
      ...sums.map(
        ({ t, s }) => `const z${s} = i32x4.add(i32x4.shl(widened<F>(${narrow}, s${s}), 4), i${t});`,
      ),
      ...sums.map(({ s }) => `s${s} = firstSum<F>(${narrow}, z${s});`),
      [...everyPanel.map((p) => `w${p} -= group << 3;`), ...everyToken.map((t) => `x${t} -= group;`)].join(
        " ",
      ),
      ...groupLoop(tile, low),
    );
  } else {
    lines.push(
      ...sums.map(({ t, s }) => `let s${s} = firstSum<F>(${narrow}, i${t});`),
      ...groupLoop(tile, (text) => text),
    );
  }
  for (const p of everyPanel) lines.push(`const ca${p} = v128.load(w${p}), cb${p} = v128.load(w${p}, 16);`);
  for (const t of everyToken) lines.push(`const d${t} = v128.load32_splat(r${t});`);
  for (const { t, p, h, s } of sums) {
    const sum = `total<F>(${narrow}, s${s}, ${stored === "bytes" ? `z${s}` : `i${t}`})`;
    lines.push(`y${s} = addGroup(y${s}, c${h}${p}, d${t}, f32x4.sub(${sum}, bias));`);
  }
  const minimaLines = [
    ...everyPanel.map((p) => `const ma${p} = v128.load(w${p}, 32), mb${p} = v128.load(w${p}, 48);`),
    ...everyToken.map((t) => `const e${t} = v128.load32_splat(r${t} + (group === 32 ? 12 : 4));`),
    ...sums.map(({ t, p, h, s }) => `y${s} = f32x4.sub(y${s}, f32x4.mul(m${h}${p}, e${t}));`),
  ];
  lines.push("if (minima) {", ...minimaLines.map((line) => `  ${line}`), "}");
  lines.push(everyPanel.map((p) => `w${p} += minima ? 64 : 32;`).join(" "));
  return lines;
}

export function affineTile(tile) {
  const { stored, panels, tokens } = tile;
  const pairs = upTo(panels).flatMap((p) => upTo(tokens).map((t) => `${p}${t}`));
  const after = (name, step) => (_, i) => `let ${name}${i + 1} = ${name}${i} + ${step};`;
  const head = [
    ...(stored === "codes" ? [] : ["const nibbles = nibbleMask();"]),
    "const bias = floatBias();",
    upTo(panels - 1)
      .map(after("w", "wStride"))
      .join(" "),
    upTo(tokens - 1)
      .map(after("x", "cols"))
      .join(" "),
    ...pairs.map((pair) => `let y${pair}a = f32x4.splat(0), y${pair}b = f32x4.splat(0);`),
  ].filter((line) => line !== "");
  const stores = pairs.flatMap((pair, index) =>
    halves.map((h, i) => `v128.store(out, f32x4.mul(y${pair}${h}, scale4), ${32 * index + 16 * i});`),
  );
  const indented = (lines, depth) => lines.map((line) => `${"  ".repeat(depth)}${line}\n`).join("");
  return `/** ${panels} × 8 rows × ${tokens} tokens of ${stored}: results × scale to out, [panel][token][8]. */
${decorator}export function ${affineTileName(tile)}<F>(
  group: usize,
  minima: bool,
  shift: i32,
  w0: usize,
  wStride: usize,
  cols: usize,
  x0: usize,
  toRecords: usize,
  out: usize,
  scale: f32,
): void {
${indented(head, 1)}  for (let column: usize = 0; column < cols; column += group) {
${indented(groupLines(tile), 2)}  }
  const scale4 = f32x4.splat(scale);
${indented(stores, 1)}}
`;
}
