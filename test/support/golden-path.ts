import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../../../shared/golden/", import.meta.url);

/** Whether the golden data exists. It is not in the repository. */
export const goldenAvailable: boolean = existsSync(root);

/** The path of a golden file, such as "tiny-llama-i2_s/model.gguf". */
export function goldenPath(name: string): string {
  return fileURLToPath(new URL(name, root));
}

/** The path of a golden file of the part in the repository (test/golden/README.md). It always exists. */
export function committedGoldenPath(name: string): string {
  return fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
}

/** The message of a skipped test if the golden data is missing. */
export const goldenMissing = "its golden data is not in the repository (test/golden/README.md)";

/** The path of a small trained model, the first storyteller. The golden data of that name belongs to it. */
export const starterPath: string = committedGoldenPath("storyteller/model.gguf");

/** The path of the embedded model. It always exists. */
export const storytellerPath: string = fileURLToPath(
  new URL("../../models/storyteller.gguf", import.meta.url),
);
