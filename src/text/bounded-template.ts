import {
  Environment,
  Interpreter,
  Template,
  type TemplateNode,
  type TemplateValue,
} from "./jinja-library.js";

/** A parsed template that ends, whatever is in it. */
export interface BoundedTemplate {
  /** @throws Error if the template does not work, refuses, or does more than a template has to. */
  render(items: Readonly<Record<string, unknown>>): string;
}

// Templates come with models, from strangers. Qwen3's, the busiest that we know, takes about 150 steps a message.
const freeSteps = 200_000;
const stepsPerCharacter = 20;
/** Strings are copied and searched about as fast. */
const charactersPerStep = 64;
const itemsPerStep = 4;
const stepsPerLoop = 16;
const freeCharacters = 1 << 20;
const mostItems = 100_000;

/** @throws Error if the source is no template. */
export function createBoundedTemplate(source: string): BoundedTemplate {
  const { parsed } = new Template(source);
  return {
    render(items): string {
      const size = JSON.stringify(items).length;
      const limits = { steps: freeSteps + stepsPerCharacter * size, characters: freeCharacters + 8 * size };
      const environment = new Environment();
      for (const [name, value] of [...Object.entries(globals), ...Object.entries(items)])
        environment.set(name, value);
      return String(new BoundedInterpreter(environment, limits).run(parsed).value);
    },
  };
}

/** Counts steps by what they give, which whatever uses it walks through. */
class BoundedInterpreter extends Interpreter {
  #steps: number;
  readonly #characters: number;
  /** Lists of which one item is looked at. */
  readonly #lookedInto = new WeakSet<TemplateNode>();
  /** Lists of loops. */
  readonly #walked = new WeakSet<TemplateNode>();

  constructor(
    environment: InstanceType<typeof Environment>,
    limits: { readonly steps: number; readonly characters: number },
  ) {
    super(environment);
    this.#steps = limits.steps;
    this.#characters = limits.characters;
  }

  override evaluate(
    node: TemplateNode | undefined,
    environment: InstanceType<typeof Environment>,
  ): TemplateValue {
    if (node?.type === "For" && node.iterable !== undefined)
      this.#walked.add(node.iterable.lhs ?? node.iterable);
    if (node?.type === "MemberExpression" && node.object && node.property?.type !== "SliceExpression")
      this.#lookedInto.add(node.object);
    this.#spend(1);
    const result = super.evaluate(node, environment);
    const { value } = result;
    if (typeof value === "string") {
      if (value.length > this.#characters) throw new Error("it writes more than a chat template has to");
      this.#spend(value.length / charactersPerStep);
    } else if (Array.isArray(value) || value instanceof Map) {
      const size = Array.isArray(value) ? value.length : value.size;
      if (size > mostItems) throw new Error("it makes longer lists than a chat template has to");
      if (node && this.#walked.has(node)) this.#spend(size * stepsPerLoop);
      else if (!node || !this.#lookedInto.has(node)) this.#spend(size / itemsPerStep);
    }
    return result;
  }

  #spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new Error("it takes more steps than a chat template has to");
  }
}

const dateTemplate = new Template("{{ strftime_now(format) }}");

/** What the library's own rendering gives templates, with a range that ends. */
const globals: Readonly<Record<string, unknown>> = {
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
    const count = Math.max(0, Math.ceil((last - first) / step));
    if (!(count <= mostItems)) throw new Error("it makes longer lists than a chat template has to");
    return Array.from({ length: count }, (_, index) => first + index * step);
  },
  strftime_now: (format: string): string => dateTemplate.render({ format }),
};
