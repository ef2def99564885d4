import { arc } from "./arc.js";
import { boolq } from "./boolq.js";
import type { TaskFormat } from "./format.js";
import { gsm8k } from "./gsm8k.js";
import { hellaswag } from "./hellaswag.js";
import { mmlu } from "./mmlu.js";
import { piqa } from "./piqa.js";
import { winogrande } from "./winogrande.js";

/** Every benchmark whose published form is readable. Lines are tried in this order. */
export const taskFormats: readonly TaskFormat[] = [arc, winogrande, boolq, hellaswag, piqa, mmlu, gsm8k];
