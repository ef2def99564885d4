// Variants of kernels: the text of a kernel written by hand, under another name and with another type. They
// end its file, so that a kernel's forms stand together. scripts/tiles.mjs writes them.

const marker = "// From here on made by scripts/tiles.mjs.\n";
const relaxed = (base, forms = ["i16", "i32"]) =>
  forms.map((form) => ({
    name: base.replace("dot_i8", `dot_${form}`),
    but: `in form ${form} of the dot product (simd/dot). Traps in the simd128 build`,
    edits: [
      ["<i8>", `<${form}>`],
      ["): void {\n", "): void {\n  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();\n"],
    ],
  }));
/** Kernels of lookup tables for more than 16 tokens. */
const wider = (base, entries, widths) =>
  widths.map((lanes) => ({
    name: base.replace("16", lanes),
    but: `entries are [32, ${entries}, ${lanes}], totals have ${lanes} lanes, and tokens are up to ${lanes}`,
    edits: [["16, 5,", `${lanes}, ${Math.log2(2 * lanes)},`]],
  }));
const groups = "matmul_ternary_groups64_i8_dot_i8";
const affine = "matmul_affine6_32_i8_dot_i8";
const minima = "and each group subtracts m[r, g] · (s · Σ X in g)";
/** Layouts of affine panels beside affine-6-32. */
const affineKinds = [
  { kind: "4_32", but: "W is affine-4-32, and codes are −8…7", call: "(4, 32, false," },
  { kind: "4_32_min", but: `W is affine-4-32-min, codes are 0…15, ${minima}`, call: "(4, 32, true," },
  { kind: "6_32_min", but: `W is affine-6-32-min, codes are 0…63, ${minima}`, call: "(6, 32, true," },
  { kind: "6_16", but: "W is affine-6-16, and groups are of 16", call: "(6, 16, false," },
  {
    kind: "6_16_min",
    but: `W is affine-6-16-min, codes are 0…63, ${minima}`,
    call: "(6, 16, true,",
  },
  { kind: "8_32", but: "W is affine-8-32, and codes are −128…127", call: "(8, 32, false," },
];
/** By file and base. Groups of 128 have functions of their own: V8's revectorizer gives up on longer ones. */
export const variants = {
  // Products of two bytes do not fit 16 bits.
  "kernels/attention-int8.ts": {
    attention_int8_dot_i8: relaxed("attention_int8_dot_i8", ["i32"]),
  },
  "kernels/matmul-float.ts": {
    matmul_f32_f32: [
      { name: "matmul_bf16_f32", but: "W is bf16-rows", edits: [["<f32>", "<u16>"]] },
      {
        name: "matmul_f16_f32",
        but: "W is f16-rows, as pack_f16 leaves them, and |x| < 2²⁵, so that x · 2¹⁰² is finite",
        edits: [["<f32>", "<i16>"]],
      },
    ],
  },
  "kernels/matmul-base3-groups.ts": {
    matmul_base3_groups_i8_dot_i8: relaxed("matmul_base3_groups_i8_dot_i8"),
  },
  "kernels/matmul-base3.ts": {
    matmul_base3_i8_dot_i8: relaxed("matmul_base3_i8_dot_i8"),
    matmul_base3_listed_i8_dot_i8: relaxed("matmul_base3_listed_i8_dot_i8"),
  },
  "kernels/matmul-lookup.ts": { add_lookups_16: wider("add_lookups_16", 81, [32, 64]) },
  "kernels/matmul-lookup-base3.ts": { add_base3_lookups_16: wider("add_base3_lookups_16", 243, [32]) },
  "kernels/matmul-lookup-groups.ts": {
    add_scaled_lookups_16: wider("add_scaled_lookups_16", 81, [32, 64]),
    add_half_lookups_16: wider("add_half_lookups_16", 81, [32, 64]),
  },
  "kernels/matmul-int8.ts": {
    matmul_i8_i14_dot_i8: relaxed("matmul_i8_i14_dot_i8"),
  },
  "kernels/matmul-int8-pairs.ts": {
    matmul_i8_i14_pairs_dot_i8: relaxed("matmul_i8_i14_pairs_dot_i8"),
  },
  "kernels/matmul-ternary.ts": {
    matmul_ternary_i8_dot_i8: relaxed("matmul_ternary_i8_dot_i8"),
    matmul_ternary_listed_i8_dot_i8: relaxed("matmul_ternary_listed_i8_dot_i8"),
  },
  "kernels/matmul-affine.ts": {
    [affine]: [
      ...relaxed(affine),
      ...affineKinds.flatMap(({ kind, but: difference, call }) =>
        [{ name: affine, edits: [] }, ...relaxed(affine)].map(({ name, but, edits }) => ({
          name: name.replace("6_32", kind),
          but: [difference, ...(but ? [but] : [])].join("; "),
          edits: [...edits, ["(6, 32, false,", call]],
        })),
      ),
    ],
  },
  "kernels/matmul-ternary-groups.ts": {
    [groups]: [
      ...relaxed(groups),
      ...[{ name: groups, edits: [] }, ...relaxed(groups)].map(({ name, but, edits }) => ({
        name: name.replace("64", "128"),
        but: ["with groups of 128", ...(but ? [but] : [])].join(", "),
        edits: [...edits, ["(true,", "(false,"]],
      })),
    ],
  },
};

/** A doc comment of one sentence, in two lines if it is long. */
function docComment(sentence) {
  if (sentence.length <= 100) return `/** ${sentence} */\n`;
  const space = sentence.lastIndexOf(" ", 105);
  return `/**\n * ${sentence.slice(0, space)}\n * ${sentence.slice(space + 1)}\n */\n`;
}

/** A file with its variants at the end. */
export function withVariants(file, whole, bases) {
  const source = whole.split(marker)[0];
  const texts = Object.entries(bases).flatMap(([base, made]) => {
    const text = new RegExp(`export function ${base}\\([^]*?\\n}\\n`).exec(source)?.[0];
    if (text === undefined) throw new Error(`assembly/${file} has no function ${base}`);
    return made.map(({ name, but, edits }) =>
      edits.reduce(
        (changed, [from, to]) => {
          if (!changed.includes(from))
            throw new Error(`${base} in assembly/${file} does not contain "${from}"`);
          return changed.replace(from, to);
        },
        `${docComment(`Contract as ${base}, but ${but}.`)}${text.replace(base, name)}`,
      ),
    );
  });
  return `${source}${marker}\n${texts.join("\n")}`;
}
