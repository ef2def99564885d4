import type { Config } from "./config.js";

/**
 * The steps of a part of tokenizer.json, in order. Sequences are flattened.
 *
 * @param key The key under which a sequence lists its steps.
 */
export function stepsOf(step: Config, key: string): readonly Config[] {
  if (step.get("type") !== "Sequence") return [step];
  return step.list(key).flatMap((_, index) => stepsOf(step.element(key, index), key));
}
