import { BitNetError } from "../errors.js";
import { hasRevectorizer, withRevectorizer } from "#platform";
import { type AttentionRun, type AttentionSelfTest, createAttentionSelfTest } from "./attention-self-test.js";
import type { AttentionForm, CacheType } from "./cache-types.js";
import { type DotForm, dotForms } from "./dot-forms.js";
import { createLookupSelfTest, type LookupSelfTest } from "./lookup-self-test.js";
import { wideLanes } from "./lookups.js";
import { type CompiledKernels, compileCopy, instantiateKernels, type KernelBuild } from "./kernel-build.js";
import type { Kernels } from "./kernels.js";
import {
  allSelfTests,
  createMatmulSelfTest,
  type FormSelfTest,
  type MatmulSelfTest,
} from "./matmul-self-test.js";
import type { Memories } from "./memory.js";
import { createScreenSelfTest, type ScreenSelfTest } from "./screen-self-test.js";

/** How this host runs ternary matmuls. Plain data for every worker. */
export interface MatmulChoice {
  readonly form: DotForm;
  /** The forms that compute known sums correctly here, with their times in the self-test. `form` is first. */
  readonly timed: readonly [TimedForm, ...TimedForm[]];
  /**
   * A copy of the kernels with 256-bit matmuls; undefined where the host has none, or where it is not faster.
   */
  readonly module256: WebAssembly.Module | undefined;
  /** Whether the matmul by columns (assembly/kernels/sparse) works here. */
  readonly columns: boolean;
  /** The form of attention over a cache of int8. */
  readonly attentionForm: AttentionForm;
  /** Whether attention runs from `module256` as well. */
  readonly attention256: boolean;
  /** Whether the matmul of int8 rows runs from `module256` as well, in pairs. */
  readonly screen256: boolean;
  /** Whether matmuls of several tokens in form i32 run from `module256` by the tiles for 256 bits. */
  readonly wideTiles: boolean;
  /** Whether matmuls of many tokens by lookup tables work here. */
  readonly lookup: boolean;
  /** Whether they run from `module256` as well. */
  readonly lookup256: boolean;
}

export interface MatmulWishes {
  /** Use this form or fail. Default: the fastest. */
  readonly form?: DotForm | undefined;
  /** False never tries 256 bits. Default: 256 bits where they are correct and faster. */
  readonly kernels256?: boolean | undefined;
  /** Whether the model has a screened head. Default: false. */
  readonly screened?: boolean | undefined;
  /** How sessions keep keys and values. Default: "f16". */
  readonly cacheType?: CacheType | undefined;
  /** False never uses lookup tables. Default: true. */
  readonly lookup?: boolean | undefined;
  /** Self-tests of the other layouts that the model's weights may have. Default: none. */
  readonly selfTests?: readonly ((memories: Memories) => FormSelfTest)[] | undefined;
}

/** The matmuls of a pass: a dot form, or lookup tables where they are worth it. */
export type PassForm = DotForm | "lookup";

/** A form, and the time of its matmul in the self-test. */
export interface TimedForm {
  readonly form: DotForm;
  readonly milliseconds: number;
}

/** Time for each form: the engine's optimiser needs some of it before the form reaches its speed. */
const formMilliseconds = 12;
/** Forms take turns, for so long. */
const turnMilliseconds = 1;
/** Turns go on until no time has improved by so much in the second half of all turns. */
const improvement = 0.9;
/** Longest time for all turns. On a machine with other work, optimised code came after up to 160 ms. */
const maxTurnsMilliseconds = 300;
/** Longest time for turns of the 256-bit copy. On a busy machine, 60 ms were too short in 1 of 200 loads. */
const maxTurnsMilliseconds256 = 200;
/** Longest wait for the optimiser to make one more function of the copy. */
const waitMilliseconds256 = 60;
/** The copy must take less than this part of the time to be worth having. */
const worthwhile = 0.85;

/**
 * Chooses the fastest form of the ternary matmul that computes known sums correctly on this host.
 *
 * Engines have shipped wrong code for these instructions: Node 20's baseline compiler doubles one relaxed dot
 * product until the function is optimised. So this process tests every form before it uses one.
 *
 * @throws BitNetError SELF_TEST_FAILED if no form works, or the wanted form does not.
 */
export function chooseMatmul(
  compiled: CompiledKernels,
  memories: Memories,
  wishes: MatmulWishes,
): MatmulChoice {
  const home = memories.regions[0];
  if (home === undefined) throw new RangeError("the home region comes first");
  const kernels = instantiateKernels(compiled.module, home.memory);
  const others = (wishes.selfTests ?? []).map((create) => create(memories));
  const matmul = createMatmulSelfTest(memories);
  const selfTests = [matmul, ...others];
  const tests = allSelfTests(selfTests);
  const screen = wishes.screened === true ? createScreenSelfTest(memories) : undefined;
  const all: FormSelfTest = {
    ...tests,
    correct: (build, form) => tests.correct(build, form) && screen?.correct(build, "plain", form) !== false,
  };
  const lookup = wishes.lookup === false ? undefined : createLookupSelfTest(memories);
  const attention = createAttentionSelfTest(memories, wishes.cacheType ?? "f16");
  try {
    const attentionForm = attention.chooseForm(compiled.build, kernels, wishes.form);
    const timed = timeForms(compiled.build, kernels, all, wishes.form);
    const copy =
      wishes.kernels256 !== false && compiled.build === "relaxed" && hasRevectorizer()
        ? makeCopy256(compiled, memories, kernels, {
            matmul,
            selfTests,
            timed,
            lookup,
            screen,
            attention,
            attentionForm,
          })
        : undefined;
    const chosen = copy?.timed ?? timed;
    const [{ form }] = chosen;
    const columns = matmul.columnsCorrect(kernels, form);
    return {
      form,
      timed: chosen,
      columns,
      module256: copy?.module,
      attentionForm,
      attention256: copy?.attention ?? false,
      lookup: lookup?.correct(kernels) ?? false,
      lookup256: copy?.lookup ?? false,
      screen256: copy?.screen ?? false,
      wideTiles: copy?.wideTiles ?? false,
    };
  } finally {
    lookup?.free();
    screen?.free();
    attention.free();
    all.free();
  }
}

/** As chooseMatmul, for the form alone: the fastest correct one, or the wanted one. */
export function chooseForm(
  build: KernelBuild,
  kernels: Kernels,
  selfTest: FormSelfTest,
  wanted?: DotForm,
): TimedForm {
  return timeForms(build, kernels, selfTest, wanted)[0];
}

/** The correct forms, or the wanted one, fastest first. */
function timeForms(
  build: KernelBuild,
  kernels: Kernels,
  selfTest: FormSelfTest,
  wanted: DotForm | undefined,
): readonly [TimedForm, ...TimedForm[]] {
  const candidates: readonly DotForm[] = wanted === undefined ? dotForms : [wanted];
  const correct = candidates.filter(
    (form) => (build === "relaxed" || form === "i8") && selfTest.correct(kernels, form),
  );
  const timed = timeInTurns(correct, (form) => selfTest.time(kernels, form, turnMilliseconds), {
    maxMilliseconds: maxTurnsMilliseconds,
  });
  // An engine may have switched to optimised code meanwhile: a form must be right in that code, too.
  const [best, ...others] = timed
    .sort((a, b) => a.milliseconds - b.milliseconds)
    .filter(({ form }) => selfTest.correct(kernels, form));
  if (best !== undefined) return [best, ...others];
  throw new BitNetError(
    "SELF_TEST_FAILED",
    `The ${build} kernels (${candidates.join(", ")}) compute wrong sums on this JavaScript engine; update the runtime`,
    { details: { build, forms: candidates } },
  );
}

/**
 * The shortest time of each form. Forms take turns because the optimiser works beside them. One after
 * another, an earlier form at times won wrongly on a busy machine: the last form was not optimised yet.
 *
 * @param options.maxMilliseconds longest time for all turns.
 * @param options.isEnough whether the best time may be the last one. Default: always.
 */
function timeInTurns(
  forms: readonly DotForm[],
  time: (form: DotForm) => number,
  options: { readonly maxMilliseconds: number; readonly isEnough?: (best: number) => boolean },
): TimedForm[] {
  const { maxMilliseconds, isEnough = () => true } = options;
  const best = new Map(forms.map((form) => [form, Infinity]));
  const started = performance.now();
  let improved = 0;
  for (let turn = 1; ; turn += 1) {
    for (const form of forms) {
      const [before = Infinity, milliseconds] = [best.get(form), time(form)];
      if (milliseconds < before * improvement) improved = performance.now() - started;
      best.set(form, Math.min(before, milliseconds));
    }
    const spent = performance.now() - started;
    const settled = turn * turnMilliseconds >= formMilliseconds && spent >= 2 * improved;
    if ((settled && isEnough(Math.min(...best.values()))) || spent > maxMilliseconds) break;
  }
  return [...best].map(([form, milliseconds]) => ({ form, milliseconds }));
}

/** A copy of the kernels with 256-bit matmuls. */
interface Copy256 {
  readonly module: WebAssembly.Module;
  /** Its correct forms, fastest first. */
  readonly timed: readonly [TimedForm, ...TimedForm[]];
  /** Whether its attention is faster, too. */
  readonly attention: boolean;
  /** Whether its matmuls by lookup tables are faster, too. */
  readonly lookup: boolean;
  /** Whether its matmul of int8 rows is faster, too. */
  readonly screen: boolean;
  /** Whether its tiles for 256 bits are faster, too. */
  readonly wideTiles: boolean;
}

/** The copy, if it is correct and faster. Its forms take turns again: another one may be the fastest. */
function makeCopy256(
  compiled: CompiledKernels,
  memories: Memories,
  kernels128: Kernels,
  {
    matmul,
    selfTests,
    timed,
    lookup,
    screen,
    attention,
    attentionForm,
  }: {
    readonly matmul: MatmulSelfTest;
    readonly selfTests: readonly FormSelfTest[];
    readonly timed: readonly [TimedForm, ...TimedForm[]];
    readonly lookup: LookupSelfTest | undefined;
    readonly screen: ScreenSelfTest | undefined;
    readonly attention: AttentionSelfTest;
    readonly attentionForm: AttentionForm;
  },
): Copy256 | undefined {
  const [home] = memories.regions;
  if (home === undefined) return undefined;
  const { memory } = home;
  const attend128: AttentionRun = { kernels: kernels128, form: attentionForm };
  // The engine keeps code that it optimises while the revectorizer is on: time 128-bit kernels before.
  const attentionMilliseconds = attention.time(attend128, formMilliseconds);
  const screens = timed.flatMap(({ form }) => {
    if (screen === undefined || form === "i8") return [];
    return [{ form, before: screen.time(kernels128, "plain", form, turnMilliseconds) }];
  });
  // Lookups in groups are optimised only for models that have them.
  const kinds = selfTests.length > 1 ? (["rows", "base3", 128, 64] as const) : (["rows"] as const);
  const lookups = kinds.flatMap((kind) =>
    wideLanes.flatMap((lanes) => {
      if (kind === "base3" && lanes === 64) return [];
      const time = (kernels: Kernels, forMs: number): number =>
        lookup?.time(kernels, kind, lanes, forMs) ?? 0;
      return [{ time, before: time(kernels128, turnMilliseconds) }];
    }),
  );
  const four128 = timed.some(({ form }) => form === "i32")
    ? matmul.timeFour(kernels128, "i32", turnMilliseconds)
    : undefined;
  const times128 = new Map(
    timed.map(({ form }) => [form, selfTests.map((test) => test.time(kernels128, form, turnMilliseconds))]),
  );
  return withRevectorizer(() => {
    const module = compileCopy(compiled);
    const kernels256 = instantiateKernels(module, memory);
    const attend256: AttentionRun = { kernels: kernels256, form: attentionForm };
    const all = allSelfTests(selfTests);
    const limit = timed[0].milliseconds * worthwhile;
    const [best, ...others] = timeInTurns(
      timed.map(({ form }) => form),
      (form) => all.time(kernels256, form, turnMilliseconds),
      { maxMilliseconds: maxTurnsMilliseconds256, isEnough: (milliseconds) => milliseconds <= limit },
    ).sort((a, b) => a.milliseconds - b.milliseconds);
    if (best === undefined || best.milliseconds > limit) return undefined;
    const { form } = best;
    const times = times128.get(form) ?? [];
    // Each layout's matmul separately: code that is optimised later has 128-bit operations. The same holds
    // for the matmul of listed rows. The dense matmul's time is a fair guess of its time.
    selfTests.forEach((test, i) =>
      becomesFaster((forMs) => test.time(kernels256, form, forMs), times[i] ?? 0),
    );
    becomesFaster((forMs) => matmul.timeListed(kernels256, form, forMs), times[0] ?? 0);
    if (!all.correct(kernels256, form)) return undefined;
    const correct = others.filter((other) => all.correct(kernels256, other.form));
    const faster = becomesFaster((forMs) => attention.time(attend256, forMs), attentionMilliseconds);
    const lookupFaster = lookups.map(({ time, before }) =>
      becomesFaster((forMs) => time(kernels256, forMs), before),
    );
    const wideTiles =
      four128 !== undefined &&
      becomesFaster((forMs) => matmul.timeFour(kernels256, "wide", forMs), four128) &&
      matmul.wideCorrect(kernels256);
    // All forms: passes that try a form would be slow by its head.
    const screensFaster = screens.map(({ form: each, before }) =>
      becomesFaster((forMs) => screen?.time(kernels256, "pairs", each, forMs) ?? 0, before),
    );
    return {
      module,
      timed: [best, ...correct],
      wideTiles,
      screen:
        screensFaster.includes(true) &&
        screens.every((each) => screen?.correct(kernels256, "pairs", each.form)),
      attention: faster && attention.agree(attend128, attend256),
      lookup: lookupFaster.includes(true) && lookup?.correct(kernels256) === true,
    };
  });
}

/**
 * Runs a function until the engine has optimised it, and says whether it then takes well below
 * `milliseconds`.
 */
function becomesFaster(time: (forMilliseconds: number) => number, milliseconds: number): boolean {
  const piece = formMilliseconds / 2;
  for (let spent = 0; spent < waitMilliseconds256; spent += piece) {
    if (time(piece) <= milliseconds * worthwhile) return true;
  }
  return false;
}
