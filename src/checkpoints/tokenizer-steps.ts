import type { Config } from "./config.js";

/** The steps of a tokenizer.json's part, in order, out of any sequences. @param key Where a sequence lists its steps. */
export function stepsOf(step: Config, key: string): readonly Config[] {
  if (step.get("type") !== "Sequence") return [step];
  return step.list(key).flatMap((_, index) => stepsOf(step.element(key, index), key));
}
