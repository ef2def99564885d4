import { arc } from "./arc.js";
import { boolq } from "./boolq.js";
import type { TaskFormat } from "./format.js";
import { gsm8k } from "./gsm8k.js";
import { hellaswag } from "./hellaswag.js";
import { mmlu } from "./mmlu.js";
import { piqa } from "./piqa.js";
import { winogrande } from "./winogrande.js";

/** Every benchmark whose published form is read, in the order in which a line is tried. */
export const taskFormats: readonly TaskFormat[] = [arc, winogrande, boolq, hellaswag, piqa, mmlu, gsm8k];
