import { BitNetError } from "../../errors.js";

/**
 * Checks that biases apply to a vocabulary, and leave tokens to pick.
 *
 * @throws BitNetError INVALID_ARGUMENT for an id outside the vocabulary, or if every token is forbidden.
 */
export function checkBiases(biases: ReadonlyMap<number, number>, vocabSize: number): void {
  let forbidden = 0;
  for (const [id, bias] of biases) {
    if (id >= vocabSize) {
      const expected = `ids of this vocabulary, 0 to ${vocabSize - 1}`;
      throw invalidBias(`${id} is no token (expected ${expected})`);
    }
    if (bias === -Infinity) forbidden += 1;
  }
  if (forbidden === vocabSize) throw invalidBias("it forbids every token (expected at least one to remain)");
}

/** The error of biases that forbid every token that the model and the grammar allow. */
export function everyTokenForbidden(): BitNetError {
  return invalidBias("it forbids every token that can come next (expected at least one to remain)");
}

function invalidBias(why: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", `Invalid logitBias: ${why}`, {
    details: { option: "logitBias" },
  });
}
