import { contractions, gpt2Words, knownPreTokenizers } from "../text/pre-tokenizers.js";
import type { Config } from "./config.js";

/** Contractions as tokenizer.json files spell them; text/pre-tokenizers.ts spells them out. */
const contractionSpellings = ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)"] as const;

/** HF's Punctuation: Unicode's, and ASCII's symbols. */
const punctuation = "[\\p{P}\\$\\+<=>\\^~\\|`]";

/** Lists of steps that llama.cpp's converter gives a name with other expressions. */
const aliases: readonly { readonly name: string; readonly splits: readonly string[] }[] = [
  // The later steps cut the isolated digits in threes. One exception: a space stays before one or two digits.
  { name: "falcon", splits: [`${punctuation}+`, gpt2Words, "\\p{N}+", "[0-9][0-9][0-9]"] },
];

/**
 * The name in `tokenizer.ggml.pre` for the splitter of a byte-level tokenizer.json. Its expressions must be
 * the same. A name that means other words would change ids.
 *
 * @param ignoreMerges Whether a word that is a token as a whole becomes that token.
 * @throws BitNetError UNSUPPORTED_TOKENIZER for a splitter without a name.
 */
export function splitterName(tokenizer: Config, ignoreMerges: boolean): string {
  const root = tokenizer.object("pre_tokenizer");
  const splits = root === undefined ? [] : splitsOf(root).map(canonical);
  const same = (others: readonly string[]): boolean =>
    others.length === splits.length && others.every((other, index) => other === splits[index]);

  const found =
    knownPreTokenizers.find((known) => same(known.splits) && known.ignoreMerges === ignoreMerges)?.names[0] ??
    aliases.find((alias) => same(alias.splits))?.name;
  if (found !== undefined) return found;
  throw tokenizer.unsupported(
    "UNSUPPORTED_TOKENIZER",
    `its pre_tokenizer${ignoreMerges ? ", with ignore_merges," : ""} is none that is known: ${JSON.stringify(splits).slice(0, 400)}`,
    { splits },
  );
}

/** The expressions that a pre-tokenizer applies one after the other. Each isolates its matches. */
function splitsOf(step: Config): readonly string[] {
  const type = step.text("type");
  switch (type) {
    case "Sequence":
      return step.list("pretokenizers").flatMap((_, index) => splitsOf(step.element("pretokenizers", index)));
    case "ByteLevel":
      if (step.flag("add_prefix_space", { default: true })) {
        throw step.unsupported("UNSUPPORTED_TOKENIZER", "a space before every text is not known here");
      }
      return step.flag("use_regex", { default: true }) ? [gpt2Words] : [];
    case "Split":
      return [splitOf(step)];
    case "Digits":
      return [step.flag("individual_digits", { default: false }) ? "\\p{N}" : "\\p{N}+"];
    case "Punctuation":
      return [step.text("behavior", "Isolated") === "Contiguous" ? `${punctuation}+` : punctuation];
    default:
      throw step.unsupported(
        "UNSUPPORTED_TOKENIZER",
        `a step of type "${type.slice(0, 40)}" is not known here`,
      );
  }
}

function splitOf(step: Config): string {
  const expression = step.object("pattern")?.get("Regex");
  const behavior = step.text("behavior");
  const invert = step.flag("invert", { default: false });
  // The matches of all splitters here cover the text. So there is nothing between them to remove.
  const isolates = (behavior === "Isolated" && !invert) || (behavior === "Removed" && invert);
  if (typeof expression === "string" && isolates) return expression;
  throw step.unsupported(
    "UNSUPPORTED_TOKENIZER",
    `a split by ${JSON.stringify(step.get("pattern"))?.slice(0, 100)} that is ${behavior}${invert ? ", inverted," : ""} is not known here`,
  );
}

function canonical(expression: string): string {
  return contractionSpellings.reduce((text, spelling) => text.replaceAll(spelling, contractions), expression);
}
