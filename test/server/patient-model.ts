import { fileURLToPath } from "node:url";
import { embeddedModelUrl, type LanguageModel, loadModel } from "#dist/index.js";
import { rewriteModel } from "../support/rewritten-model.js";

/** Positions that the model below may fill. */
export const patientContext = 4096;

/**
 * The embedded model, with a context that takes seconds to fill: a text that is not stopped goes on for so long that a test can
 * tell one from the other.
 */
export async function loadPatientModel(): Promise<LanguageModel> {
  const bytes = await rewriteModel(fileURLToPath(embeddedModelUrl), ({ metadata }) =>
    metadata.set("bitnet-b1.58.context_length", { type: "uint32", value: patientContext }),
  );
  return loadModel(bytes, { threads: 1 });
}

/** Biases under which a text ends only where it must: at its length, or its context's. */
export function endless(model: LanguageModel): Record<string, number> {
  const { tokenizer } = model as unknown as { tokenizer: { endOfGenerationIds: ReadonlySet<number> } };
  return Object.fromEntries([...tokenizer.endOfGenerationIds].map((id) => [String(id), -100]));
}
