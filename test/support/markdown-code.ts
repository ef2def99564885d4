import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A fenced block of code in a Markdown file. */
export interface CodeBlock {
  /** Path of the file and line of the fence, such as "docs/guide/json.md:3". */
  readonly at: string;
  /** First word of the info string. */
  readonly language: string;
  /** The rest of the info string. */
  readonly note: string;
  readonly code: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The README and the pages of the guide. */
export function guidePages(): readonly string[] {
  const names = readdirSync(`${root}docs/guide`).filter((name) => name.endsWith(".md"));
  return ["README.md", ...names.map((name) => `docs/guide/${name}`)];
}

/** The code blocks of a Markdown file in some languages. */
export function codeBlocks(page: string, languages: readonly string[]): readonly CodeBlock[] {
  const text = readFileSync(`${root}${page}`, "utf8");
  return Array.from(text.matchAll(/^```(\w+) *(.*)\n([^]*?)^```$/gm), (match): CodeBlock => {
    const [, language = "", note = "", code = ""] = match;
    const line = text.slice(0, match.index).split("\n").length;
    return { at: `${page}:${line}`, language, note, code };
  }).filter(({ language }) => languages.includes(language));
}

/** The code in sentences and tables of a Markdown file. */
export function inlineCode(page: string): readonly string[] {
  const text = readFileSync(`${root}${page}`, "utf8").replaceAll(/^```[^]*?^```$/gm, "");
  return Array.from(text.matchAll(/`([^`\n]+)`/g), ([, code = ""]) => code);
}
