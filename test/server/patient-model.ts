import { fileURLToPath } from "node:url";
import { embeddedModelUrl, type LanguageModel, loadModel } from "#dist/index.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { rewriteModel } from "../support/rewritten-model.js";

/** Context length of the model below. */
export const patientContext = 4096;

/**
 * The embedded model, with a context that takes seconds to fill. So a test can tell a stopped text from a
 * completed one.
 */
export async function loadPatientModel(): Promise<LanguageModel> {
  const bytes = await rewriteModel(fileURLToPath(embeddedModelUrl), ({ metadata }) =>
    metadata.set("bitnet-b1.58.context_length", { type: "uint32", value: patientContext }),
  );
  return loadModel(bytes, { threads: 1 });
}

/** Biases that forbid end tokens: a text ends at its maximum length, or when the context is full. */
export function endless(model: LanguageModel): Record<string, number> {
  return Object.fromEntries(
    [...internalsOf(model).tokenizer.endOfGenerationIds].map((id) => [String(id), -100]),
  );
}
