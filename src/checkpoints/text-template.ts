import { type Config, isObject } from "./config.js";
import { stepsOf } from "./tokenizer-steps.js";

/** The id of a token by its spelling. */
export type IdOf = (spelling: string) => number | undefined;

/** The tokens that a post-processor puts around a text. */
export interface TextTemplate {
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/** @throws BitNetError UNSUPPORTED_TOKENIZER for a post-processor that puts anything else around a text. */
export function readTemplate(tokenizer: Config, idOf: IdOf): TextTemplate | undefined {
  const post = tokenizer.object("post_processor");
  const steps = post === undefined ? [] : stepsOf(post, "processors");
  for (const step of steps) {
    const type = step.get("type");
    // It only changes offsets.
    if (type === "ByteLevel") continue;
    if (type === "TemplateProcessing") return readTextTemplate(step, idOf);
    throw step.unsupported(
      "UNSUPPORTED_TOKENIZER",
      `a step of type ${JSON.stringify(type)?.slice(0, 40)} after the tokens is not known here`,
    );
  }
  return undefined;
}

function readTextTemplate(step: Config, idOf: IdOf): TextTemplate {
  const single = step.list("single");
  const text = single.findIndex((item) => isObject(item) && Object.hasOwn(item, "Sequence"));
  const ids = single.map((_, index): number | undefined => {
    const special = step.element("single", index).object("SpecialToken");
    if (special === undefined) return undefined;
    const name = special.text("id");
    const listed = step.object("special_tokens")?.object(name)?.list("ids") ?? [];
    const id = listed.length === 0 ? idOf(name) : listed[0];
    if (typeof id !== "number" || listed.length > 1)
      throw step.wrong("special_tokens", "one id for each token");
    return id;
  });
  const [before, after] = [ids.slice(0, text), ids.slice(text + 1)];
  if (text === -1 || before.length > 1 || after.length > 1 || [...before, ...after].includes(undefined)) {
    throw step.unsupported(
      "UNSUPPORTED_TOKENIZER",
      "a template needs one text, with at most one token before it and one token after it",
    );
  }
  return { before: before[0], after: after[0] };
}
