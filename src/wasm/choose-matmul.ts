import { BitNetError } from "../errors.js";
import { hasRevectorizer, withRevectorizer } from "../platform/engine-flags.js";
import { createAttentionTrial } from "./attention-self-test.js";
import { type CompiledKernels, compileCopy, instantiateKernels, type KernelBuild } from "./kernel-build.js";
import { createGroupsTrial } from "./groups-self-test.js";
import { type GroupSize, type Kernels, type TernaryForm, ternaryForms } from "./kernels.js";
import type { Memories } from "./memory.js";
import { allTrials, createProductTrial, type FormTrials, type ProductTrial } from "./matmul-self-test.js";

/** How this host multiplies ternary rows. */
export interface ProductChoice {
  readonly form: TernaryForm;
  /** A copy of the kernels in which the product runs 256 bits wide; undefined where there is none, or no gain. */
  readonly wideModule: WebAssembly.Module | undefined;
  /** Whether the product by columns (assembly/kernels/sparse) works here. */
  readonly columns: boolean;
  /** Whether attention, too, is to be taken from that copy. */
  readonly wideAttention: boolean;
}

export interface ProductWishes {
  /** Use this form or fail, instead of choosing. */
  readonly form?: TernaryForm | undefined;
  /** False never tries 256 bits; true or undefined takes them where they are correct and faster. */
  readonly wide256?: boolean | undefined;
  /** Groups that the model's weights come in: their product is tried as well. None where left out. */
  readonly groupSizes?: Iterable<GroupSize> | undefined;
}

/** A form, and the time of its trial product. */
interface FormTrial {
  readonly form: TernaryForm;
  readonly milliseconds: number;
}

/** Time for each form: the engine's optimiser needs some of it before the form shows what it can do. */
const formMilliseconds = 12;
/** Longest wait for the optimiser to make the 256-bit copy. */
const wideMilliseconds = 60;
/** The copy must take less than this of the time to be worth having. */
const worthwhile = 0.85;

/**
 * The fastest form of the ternary product that computes known sums correctly on this host.
 *
 * Engines have shipped wrong code for these instructions: Node 20's baseline compiler doubles one relaxed dot product until
 * the function is optimised. So no form is used that has not just been seen to work, in this process.
 *
 * @throws BitNetError SELF_TEST_FAILED if none works, or the wanted one does not.
 */
export function chooseProduct(
  compiled: CompiledKernels,
  memories: Memories,
  wishes: ProductWishes,
): ProductChoice {
  const home = memories.regions[0];
  if (home === undefined) throw new RangeError("the home region comes first");
  const kernels = instantiateKernels(compiled.module, home.memory);
  const groups = Array.from(wishes.groupSizes ?? [], (size) => createGroupsTrial(memories, size));
  const product = createProductTrial(memories);
  const trial = allTrials([product, ...groups]);
  try {
    const { form, milliseconds } = chooseForm(compiled.build, kernels, trial, wishes.form);
    const wide =
      wishes.wide256 !== false && compiled.build === "relaxed" && hasRevectorizer()
        ? makeWideCopy(compiled, memories, kernels, { product, trial, form, milliseconds })
        : undefined;
    const columns = product.columnsCorrect(kernels, form);
    return { form, columns, wideModule: wide?.module, wideAttention: wide?.attention ?? false };
  } finally {
    trial.free();
  }
}

/** As chooseProduct, for the form alone: the fastest that is correct, or the wanted one. */
export function chooseForm(
  build: KernelBuild,
  kernels: Kernels,
  trial: FormTrials,
  wanted?: TernaryForm,
): FormTrial {
  const candidates: readonly TernaryForm[] = wanted === undefined ? ternaryForms : [wanted];
  const trials = candidates
    .filter((form) => (build === "relaxed" || form === "plain") && trial.correct(kernels, form))
    .map((form) => ({ form, milliseconds: trial.time(kernels, form, formMilliseconds) }));
  // An engine may have switched to optimised code meanwhile: what is chosen must be right in that, too.
  const [best] = trials
    .sort((a, b) => a.milliseconds - b.milliseconds)
    .filter(({ form }) => trial.correct(kernels, form));
  if (best !== undefined) return best;
  throw new BitNetError(
    "SELF_TEST_FAILED",
    `The ${build} kernels (${candidates.join(", ")}) compute wrong sums on this JavaScript engine; update the runtime`,
    { details: { build, forms: candidates } },
  );
}

/** A copy whose product is 256 bits wide, if it is right and faster, and whether its attention is, too. */
function makeWideCopy(
  compiled: CompiledKernels,
  memories: Memories,
  narrow: Kernels,
  chosen: FormTrial & { readonly product: ProductTrial; readonly trial: FormTrials },
): { readonly module: WebAssembly.Module; readonly attention: boolean } | undefined {
  const [home] = memories.regions;
  if (home === undefined) return undefined;
  const { memory } = home;
  const { product, trial, form, milliseconds } = chosen;
  const attention = createAttentionTrial(memories);
  try {
    // What the engine optimises while the revectorizer is on stays so: what it is compared with must be timed before.
    const attentionMilliseconds = attention.time(narrow, formMilliseconds);
    return withRevectorizer(() => {
      const module = compileCopy(compiled);
      const wide = instantiateKernels(module, memory);
      if (!becomesFaster((limit) => trial.time(wide, form, limit), milliseconds)) return undefined;
      // The dense product's time is a fair guess of what the listed rows of it should take once they are optimised.
      becomesFaster((limit) => product.timeListed(wide, form, limit), milliseconds);
      if (!trial.correct(wide, form)) return undefined;
      const faster = becomesFaster((limit) => attention.time(wide, limit), attentionMilliseconds);
      return { module, attention: faster && attention.agree(narrow, wide) };
    });
  } finally {
    attention.free();
  }
}

/** Whether a function, once the engine has optimised it, takes so much less than `milliseconds` that it is worth having. */
function becomesFaster(time: (forMilliseconds: number) => number, milliseconds: number): boolean {
  const piece = formMilliseconds / 2;
  for (let spent = 0; spent < wideMilliseconds; spent += piece) {
    if (time(piece) <= milliseconds * worthwhile) return true;
  }
  return false;
}
