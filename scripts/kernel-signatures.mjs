// Reads the kernels' signatures and contracts from assembly/, and writes their TypeScript type for the build.
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { affineScratchBytes, groupScratchBytes, lookupScratchBytes, ternaryScratchBytes } from "./tiles.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const parse = (path) => ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);

/**
 * The kernels, in the order of assembly/index.ts: { name, path, contract, parameters: { name, type }[],
 * returns }, where `contract` is the text of the doc comment and types are AssemblyScript's.
 */
export function kernelSignatures() {
  const index = join(root, "assembly", "index.ts");
  return parse(index)
    .statements.filter(ts.isExportDeclaration)
    .flatMap((statement) => {
      const file = join(dirname(index), `${statement.moduleSpecifier.text}.ts`);
      const functions = new Map(
        parse(file)
          .statements.filter(ts.isFunctionDeclaration)
          .map((node) => [node.name.text, node]),
      );
      return statement.exportClause.elements.map(({ name: { text: name } }) => {
        const node = functions.get(name);
        if (node === undefined)
          throw new Error(`assembly/index.ts exports ${name}, which ${file} does not have`);
        return {
          name,
          path: relative(root, file),
          contract: contractOf(node),
          parameters: node.parameters.map((parameter) => ({
            name: parameter.name.getText(),
            type: parameter.type.getText(),
          })),
          returns: node.type.getText(),
        };
      });
    });
}

/** The names of all kernels. */
export function kernelNames() {
  return kernelSignatures().map(({ name }) => name);
}

/** The text of a function's doc comment, without its marks; "" if it has none. */
function contractOf(node) {
  const comments = ts.getLeadingCommentRanges(node.getSourceFile().text, node.pos) ?? [];
  const last = comments.map(({ pos, end }) => node.getSourceFile().text.slice(pos, end)).at(-1);
  if (!last?.startsWith("/**")) return "";
  return last
    .slice(3, -2)
    .replace(/^ *\* ?/gm, "")
    .trim();
}

/** In TypeScript an address is a number, so its parameter name says that it is an address. */
function parameterText({ name, type }) {
  const isNamed = type !== "Address" || /address$/i.test(name);
  return `${name}${isNamed ? "" : "Address"}: number`;
}

/** The text of src/wasm/generated/kernels.ts. */
export function kernelTypes() {
  const members = kernelSignatures().map(({ name, path, contract, parameters, returns }) => {
    const doc = [...contract.split("\n"), "", `@see ${path}`].map((line) => `   * ${line}`.trimEnd());
    const result = returns === "void" ? "void" : "number";
    return `  /**\n${doc.join("\n")}\n   */\n  ${name}(${parameters.map(parameterText).join(", ")}): ${result};`;
  });
  return `// Made by scripts/build.mjs from assembly/. A type alias, as the loader wants one with an index signature.

/**
 * What a kernel module exports. Numbers named …Address are byte addresses in its memory, and …Stride are bytes.
 * Booleans are 0 or 1.
 */
export type Kernels = {
${members.join("\n")}
};

/** Bytes of scratch for a call of matmul_ternary_i8_* or matmul_ternary_listed_i8_*: the sums of their largest tile. */
export const ternaryScratchBytes: number = ${ternaryScratchBytes};
/** The same for matmul_ternary_groups*. */
export const groupScratchBytes: number = ${groupScratchBytes};
/** Bytes of scratch for matmul_affine… and matmul_bytes…. */
export const affineScratchBytes: number = ${affineScratchBytes};
/** Bytes of scratch for lookup_tables_i8, add_lookups_* and add_scaled_lookups_*. */
export const lookupScratchBytes: number = ${lookupScratchBytes};
`;
}
