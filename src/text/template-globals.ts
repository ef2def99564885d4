import { FunctionValue, MappingValue, Template, type TemplateValue } from "./jinja-library.js";

/** Items of the longest list that a template may make. */
export const maxItems = 100_000;

const dateTemplate = new Template("{{ strftime_now(format) }}");

/** The globals of the library's own rendering. Our range has a maximum length. */
export const templateGlobals: Readonly<Record<string, unknown>> = {
  false: false,
  true: true,
  none: null,
  False: false,
  True: true,
  None: null,
  raise_exception: (message: unknown): never => {
    throw new Error(String(message));
  },
  range(start: number, stop?: number, step = 1): number[] {
    const [first, last] = stop === undefined ? [0, start] : [start, stop];
    if (step === 0) throw new Error("range() step must not be zero");
    const length = Math.max(0, Math.ceil((last - first) / step));
    if (!(length <= maxItems)) throw new Error("it makes longer lists than a chat template has to");
    return Array.from({ length }, (_, index) => first + index * step);
  },
  strftime_now: (format: string): string => dateTemplate.render({ format }),
};

/** Globals that take and return values of the template. */
export const templateFunctions: Readonly<Record<string, TemplateValue>> = {
  // Named arguments come last, as a mapping.
  dict: new FunctionValue((args) => {
    const entries = args.flatMap(({ value }) => {
      if (!(value instanceof Map)) throw new Error("dict() takes mappings and named arguments only");
      return Array.from(value as ReadonlyMap<string, TemplateValue>);
    });
    return new MappingValue(new Map(entries));
  }),
};
