// Writes the options of src/options/sampling-table.ts: the types in generate-options.ts, and the tables in
// the documentation. They stand between the markers "options: <part>" and "options: end". With --check, it
// only compares.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import ts from "typescript";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A module of src/options, without a build: a build needs the types that are written here. */
async function load(name) {
  const source = readFileSync(join(root, "src", "options", `${name}.ts`), "utf8");
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: "ESNext", target: "ES2022" },
  });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
}
const { samplingTable } = await load("sampling-table");
const { defaultText, isNumberOption, rangeText } = await load("ranges");

const typeOf = {
  number: () => "number",
  integer: () => "number",
  boolean: () => "boolean",
  choice: ({ choices }) => choices.map((choice) => JSON.stringify(choice)).join(" | "),
  strings: () => "string | readonly string[]",
  biases: () => "Readonly<Record<number, number>> | ReadonlyMap<number, number>",
  schema: () => "unknown",
  callback: ({ parameter }) => `((${parameter}) => void)`,
  signal: () => "AbortSignal",
};
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** A docstring of a member, wrapped at 110 columns. */
function docstring(text) {
  if (text.length <= 101) return `/** ${text} */`;
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + word.length > 103) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return `/**\n${lines.map((line) => ` * ${line}`).join("\n")}\n */`;
}

function member(option) {
  const { name, about, details = "" } = option;
  const range = isNumberOption(option) || option.kind === "strings" ? `${capital(rangeText(option))}. ` : "";
  const type = typeOf[option.kind](option);
  const undefinable = type === "unknown" ? type : `${type} | undefined`;
  const text = `${about} ${range}${details === "" ? "" : `${details} `}Default: ${defaultText(option)}.`;
  return `${docstring(text)}\nreadonly ${name}?: ${undefinable};`;
}

const code = (text) => (text === undefined ? "" : `\`${text}\``);
const table = (heads, rows) =>
  [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** The text between two markers, by the name in the first marker. */
const parts = {
  members: () => samplingTable.map(member).join("\n"),
  recommended: () => {
    const rows = samplingTable.filter(({ ggufKey }) => ggufKey !== undefined);
    return [
      docstring(
        "The values that a model file recommends. They are the defaults of the options that a caller does not give.",
      ),
      "export type RecommendedSampling = Pick<",
      "  GenerateOptions,",
      `  ${rows.map(({ name }) => `"${name}"`).join(" | ")}`,
      ">;",
    ].join("\n");
  },
  library: () =>
    table(
      ["Option", "Value", "Default", ""],
      samplingTable.map((option) => [
        code(option.name),
        rangeText(option),
        defaultText(option),
        option.about,
      ]),
    ),
  requests: () =>
    table(
      ["OpenAI", "Ollama", "Library", "Default"],
      samplingTable
        .filter(({ openai, ollama }) => openai !== undefined || ollama !== undefined)
        .map((option) => [
          [option.openai?.field, option.openai?.alias].filter(Boolean).map(code).join(", "),
          code(option.ollama?.field),
          code(option.name),
          defaultText(option),
        ]),
    ),
};

const files = ["src/options/generate-options.ts", "docs/guide/library.md", "docs/guide/server.md"];
const stale = [];
for (const file of files) {
  const path = join(root, file);
  const before = readFileSync(path, "utf8");
  const isMarkdown = file.endsWith(".md");
  const [open, close] = isMarkdown ? ["<!-- ", " -->"] : ["// ", ""];
  const blank = isMarkdown ? "\n\n" : "\n";
  const section = new RegExp(`(${open}options: (\\w+)${close}\\n)[^]*?( *${open}options: end${close})`, "g");
  const written = before.replaceAll(section, (_, begin, part, end) => {
    return `${begin}${blank.slice(1)}${parts[part]()}${blank}${end}`;
  });
  const after = await format(written, { ...(await resolveConfig(path)), filepath: path });
  if (after === before) continue;
  stale.push(file);
  if (!process.argv.includes("--check")) writeFileSync(path, after);
}
for (const file of stale)
  console.log(
    `option-docs: ${file} ${process.argv.includes("--check") ? "is stale: run node scripts/option-docs.mjs" : "written"}`,
  );
console.log(`option-docs: ${samplingTable.length} options`);
process.exit(process.argv.includes("--check") && stale.length > 0 ? 1 : 0);
