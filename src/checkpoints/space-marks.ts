import type { TextSettings } from "../text/text-settings.js";
import { spaceMark } from "../text/token-spelling.js";
import type { Config } from "./config.js";
import { stepsOf } from "./tokenizer-steps.js";

/** How spaces become marks. Everything else that such files do to texts is refused. */
export function readMarks(
  tokenizer: Config,
): { readonly prefix: boolean } & Partial<Pick<TextSettings, "prepend" | "splitsMarks">> {
  const normalizer = tokenizer.object("normalizer");
  let prepends = false;
  let replaces = false;
  for (const step of normalizer === undefined ? [] : stepsOf(normalizer, "normalizers")) {
    const type = step.get("type");
    // A mark that is put before the text after its spaces were replaced comes out the same.
    if (type === "Prepend" && step.get("prepend") === spaceMark && !prepends) prepends = true;
    else if (type === "Replace" && patternOf(step) === " " && step.get("content") === spaceMark) {
      replaces = true;
    } else throw unknownStep(step);
  }
  const pre = tokenizer.object("pre_tokenizer");
  let marks: ReturnType<typeof readMetaspace> | undefined;
  for (const step of pre === undefined ? [] : stepsOf(pre, "pretokenizers")) {
    const type = step.get("type");
    const isMetaspace = type === "Metaspace" && step.text("replacement", spaceMark) === spaceMark;
    if (isMetaspace && marks === undefined && !prepends) marks = readMetaspace(step);
    // After a normalizer that leaves no spaces, a split at spaces finds none.
    else if (!(type === "Split" && patternOf(step) === " " && replaces)) throw unknownStep(step);
  }
  if (marks !== undefined) return { ...marks, prefix: marks.prepend !== "never" };
  if (replaces) return { prefix: prepends };
  throw tokenizer.unsupported(
    "UNSUPPORTED_TOKENIZER",
    "it is neither byte-level nor marks spaces as SentencePiece does",
  );
}

const schemes = ["never", "first", "always"] as const;

function readMetaspace(step: Config): Required<Pick<TextSettings, "prepend" | "splitsMarks">> {
  const named = step.text("prepend_scheme", "always");
  const scheme = schemes.find((known) => known === named);
  // The older flag counts where it is false. Only a scheme that says the same may stand beside it.
  const isOff = step.has("add_prefix_space") && !step.flag("add_prefix_space", { default: true });
  if (scheme === undefined || (isOff && scheme === "first")) throw unknownStep(step);
  return { prepend: isOff ? "never" : scheme, splitsMarks: step.flag("split", { default: true }) };
}

function patternOf(step: Config): unknown {
  return step.object("pattern")?.get("String");
}

function unknownStep(step: Config): Error {
  return step.unsupported(
    "UNSUPPORTED_TOKENIZER",
    `a step of type ${JSON.stringify(step.get("type"))?.slice(0, 40)} is not known here in a vocabulary like SentencePiece's`,
  );
}
