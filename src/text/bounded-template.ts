import {
  type Arguments,
  BooleanValue,
  Environment,
  type EnvironmentLike,
  Interpreter,
  ListValue,
  MappingValue,
  Template,
  type TemplateNode,
  type TemplateValue,
  UndefinedValue,
} from "./jinja-library.js";
import { maxItems, templateFunctions, templateGlobals } from "./template-globals.js";
import { type FilterCall, filters, itemsOf, tests } from "./template-filters.js";
import { add, type Origin, Text } from "./template-text.js";
import { methodOf } from "./template-methods.js";
import { foreignValue, isEqual, originOf, printed, writtenMapping } from "./template-values.js";

/** A piece of a rendered text that one origin wrote. */
export interface RenderedPiece {
  readonly text: string;
  readonly origin: Origin;
}

/** A parsed template that ends, whatever is in it. */
export interface BoundedTemplate {
  /**
   * @param items Strings in them are foreign (`"1"`), unless a `Spelling` says otherwise.
   * @returns what the template wrote, cut where the origin changes.
   * @throws Error if the template does not work, refuses, or does more than a template has to.
   */
  render(items: Readonly<Record<string, unknown>>): readonly RenderedPiece[];
}

// Templates come with models, from strangers. Of the known ones, Qwen3's takes the most steps: about 150 a
// message.
const freeSteps = 200_000;
const stepsPerCharacter = 20;
/** Strings are copied and searched about as fast. */
const charactersPerStep = 64;
const itemsPerStep = 4;
const stepsPerLoop = 16;
const freeCharacters = 1 << 20;

/** @throws Error if the source is no template. */
export function createBoundedTemplate(source: string): BoundedTemplate {
  const { parsed } = new Template(source);
  return {
    render(items): readonly RenderedPiece[] {
      const size = JSON.stringify(items).length;
      const limits = { steps: freeSteps + stepsPerCharacter * size, characters: freeCharacters + 8 * size };
      const environment = new Environment();
      for (const [name, value] of Object.entries(templateGlobals)) environment.set(name, value);
      for (const [name, value] of Object.entries(templateFunctions)) environment.setVariable(name, value);
      for (const [name, value] of Object.entries(items)) {
        environment.setVariable(
          name,
          foreignValue(value, "1", (plain) => new Environment().set("plain", plain)),
        );
      }
      return piecesOf(Text.from(new BoundedInterpreter(environment, limits).run(parsed)));
    },
  };
}

function piecesOf({ value, origins }: Text): readonly RenderedPiece[] {
  const pieces: RenderedPiece[] = [];
  for (const { 0: run, index } of origins.matchAll(/0+|1+|2+/g)) {
    pieces.push({ text: value.slice(index, index + run.length), origin: run.charAt(0) as Origin });
  }
  return pieces;
}

/** A value in the place of a node, for the library to go on from. */
const evaluated = (value: TemplateValue): TemplateNode => ({ type: "Evaluated", value });

/** A loop that runs, and the text that its rounds have written so far. */
interface RunningLoop {
  readonly node: TemplateNode;
  readonly written: Text[];
}

/**
 * The library's interpreter with three additions. It counts steps by the size of every value, because each
 * use of a value walks through it. Strings know who wrote them. Our own filters and methods replace the
 * library's where published templates need Jinja's results.
 */
class BoundedInterpreter extends Interpreter {
  #steps: number;
  readonly #characters: number;
  /** Lists of which one item is looked at. */
  readonly #lookedInto = new WeakSet<TemplateNode>();
  /** The lists that loops walk through, and whether the loops unpack the items. */
  readonly #walked = new WeakMap<TemplateNode, boolean>();
  readonly #loops: RunningLoop[] = [];

  constructor(environment: EnvironmentLike, limits: { readonly steps: number; readonly characters: number }) {
    super(environment);
    this.#steps = limits.steps;
    this.#characters = limits.characters;
  }

  override evaluate(node: TemplateNode | undefined, environment: EnvironmentLike): TemplateValue {
    if (node?.type === "Evaluated") return node.value as TemplateValue;
    if (node?.type === "MemberExpression" && node.object && node.property?.type !== "SliceExpression")
      this.#lookedInto.add(node.object);
    this.#spend(1);
    const unpacks = node && this.#walked.get(node);
    const plain =
      node?.type === "ObjectLiteral" ? this.#mapping(node, environment) : super.evaluate(node, environment);
    const result = unpacks === undefined ? adopt(plain) : walkable(plain, unpacks);
    const { value } = result;
    if (typeof value === "string") {
      this.#checkLength(value.length);
      this.#spend(value.length / charactersPerStep);
    } else if (Array.isArray(value) || value instanceof Map) {
      const size = Array.isArray(value) ? value.length : value.size;
      if (size > maxItems) throw new Error("it makes longer lists than a chat template has to");
      if (unpacks !== undefined) this.#spend(size * stepsPerLoop);
      else if (!node || !this.#lookedInto.has(node)) this.#spend(size / itemsPerStep);
    }
    return result;
  }

  override evaluateBlock(statements: readonly TemplateNode[], environment: EnvironmentLike): Text {
    const written: Text[] = [];
    const loop = this.#loops.at(-1);
    const isRound = loop && (statements === loop.node.body || statements === loop.node.defaultBlock);
    try {
      for (const node of statements) {
        const value = this.evaluate(node, environment);
        // A statement without a result gives null. An expression that gives null prints a word.
        if (value.type !== "NullValue" || !silent.has(node.type)) written.push(printed(value));
      }
    } catch (error) {
      // `break` and `continue` end a round from inside its blocks. Their text stays, as in Jinja.
      const rest = unfinished.get(error as object);
      const text = Text.concat(rest ? [...written, rest] : written);
      if (isRound) loop.written.push(text);
      else unfinished.set(error as object, text);
      throw error;
    }
    const text = Text.concat(written);
    this.#checkLength(text.length);
    if (isRound) loop.written.push(text);
    return text;
  }

  override evaluateFor(node: TemplateNode, environment: EnvironmentLike): TemplateValue {
    if (node.iterable)
      this.#walked.set(node.iterable.lhs ?? node.iterable, node.loopvar?.type === "TupleLiteral");
    const loop: RunningLoop = { node, written: [] };
    this.#loops.push(loop);
    try {
      super.evaluateFor(node, environment);
      // The library's own text has lost who wrote it.
      return Text.concat(loop.written);
    } finally {
      this.#loops.splice(this.#loops.indexOf(loop));
    }
  }

  override evaluateBinaryExpression(node: TemplateNode, environment: EnvironmentLike): TemplateValue {
    const operator = node.operator?.value ?? "";
    if (operator === "and" || operator === "or") return super.evaluateBinaryExpression(node, environment);
    const left = this.evaluate(node.left, environment);
    const right = this.evaluate(node.right, environment);
    switch (operator) {
      case "==":
      case "!=":
        return new BooleanValue(isEqual(left, right, () => this.#spend(1)) === (operator === "=="));
      case "~":
        return Text.concat([printed(left), printed(right)]);
      case "+":
        if (left instanceof Text && right instanceof Text) return add(left, right);
        break;
      case "*":
        if (left instanceof Text && typeof right.value === "number") {
          this.#checkLength(left.length * right.value);
          return Text.concat(new Array<Text>(Math.max(0, right.value)).fill(left));
        }
        break;
      case "in":
      case "not in": {
        const items = Array.isArray(right.value) ? itemsOf(right) : undefined;
        if (items === undefined) break;
        const isIn = items.some((item) => isEqual(item, left, () => this.#spend(1)));
        return new BooleanValue(isIn === (operator === "in"));
      }
    }
    const result = super.evaluateBinaryExpression(
      { ...node, left: evaluated(left), right: evaluated(right) },
      environment,
    );
    return derived(result, [left, right]);
  }

  override evaluateMemberExpression(node: TemplateNode, environment: EnvironmentLike): TemplateValue {
    const object = this.evaluate(node.object, environment);
    const { property } = node;
    if (!node.computed || property?.type === "SliceExpression") {
      const method = object instanceof Text ? methodOf(object, String(property?.value)) : undefined;
      if (method !== undefined && property?.type === "Identifier") return method;
      if (object instanceof Text && property?.type === "SliceExpression") {
        // The library's slices, over code points.
        const characters = new ListValue(object.characters());
        const list = super.evaluateMemberExpression({ ...node, object: evaluated(characters) }, environment);
        return Text.concat(list.value as readonly Text[]);
      }
      return super.evaluateMemberExpression({ ...node, object: evaluated(object) }, environment);
    }
    const key = this.evaluate(property, environment);
    if (object instanceof Text && key.type === "IntegerValue") {
      return object.characters().at(Number(key.value)) ?? new UndefinedValue();
    }
    if (object instanceof MappingValue && typeof key.value !== "string") {
      return object.value.get(String(key.value)) ?? new UndefinedValue();
    }
    return super.evaluateMemberExpression(
      { ...node, object: evaluated(object), property: evaluated(key) },
      environment,
    );
  }

  override evaluateTestExpression(node: TemplateNode, environment: EnvironmentLike): TemplateValue {
    const operand = this.evaluate(node.operand, environment);
    const name = String(node.test?.value);
    return new BooleanValue(this.#test(environment, name, operand) !== (node.negate ?? false));
  }

  override applyFilter(
    operand: TemplateValue,
    node: TemplateNode,
    environment: EnvironmentLike,
  ): TemplateValue {
    const name = String((node.callee ?? node).value);
    const [positional, named]: Arguments =
      node.type === "CallExpression" ? this.evaluateArguments(node.args ?? [], environment) : [[], new Map()];
    const call: FilterCall = {
      positional,
      named,
      test: (test, value, ...others) => {
        this.#spend(1);
        return this.#test(environment, test, value, ...others);
      },
      filter: (filter, value, others) => {
        this.#spend(1);
        const callee: TemplateNode = { type: "Identifier", value: filter };
        const args = others.map(evaluated);
        return adopt(this.applyFilter(value, { type: "CallExpression", callee, args }, environment));
      },
      checkLength: (length) => this.#checkLength(length),
    };
    const own = Object.hasOwn(filters, name) ? filters[name]?.(adopt(operand), call) : undefined;
    if (own !== undefined) return own;
    const args = [
      ...positional.map(evaluated),
      ...Array.from(named, ([key, value]) => ({
        type: "KeywordArgumentExpression",
        key: { type: "Identifier", value: key },
        value: evaluated(value),
      })),
    ];
    const callee = node.callee ?? node;
    const filter: TemplateNode = args.length === 0 ? callee : { type: "CallExpression", callee, args };
    return derived(super.applyFilter(operand, filter, environment), [operand, ...positional]);
  }

  #test(
    environment: EnvironmentLike,
    name: string,
    value: TemplateValue,
    ...others: readonly TemplateValue[]
  ): boolean {
    const own = Object.hasOwn(tests, name) ? tests[name] : undefined;
    if (own !== undefined) return own(value, others[0]);
    const test = environment.tests.get(name);
    if (test === undefined) throw new Error(`Unknown test: ${name}`);
    return test(value, ...others);
  }

  /** A mapping as a template writes it. Its keys may be numbers. */
  #mapping(node: TemplateNode, environment: EnvironmentLike): TemplateValue {
    const entries = [...(node.value as ReadonlyMap<TemplateNode, TemplateNode>)];
    return writtenMapping(
      entries.map(([key, value]) => [this.evaluate(key, environment), this.evaluate(value, environment)]),
    );
  }

  #checkLength(length: number): void {
    if (length > this.#characters) throw new Error("it writes more than a chat template has to");
  }

  #spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new Error("it takes more steps than a chat template has to");
  }
}

/** The text that blocks had written when `break` or `continue` left them. */
const unfinished = new WeakMap<object, Text>();
const silent: ReadonlySet<string> = new Set(["Set", "Macro", "Comment"]);

/** A string that the library made, as one of the template's. */
function adopt(value: TemplateValue): TemplateValue {
  return value.type === "StringValue" ? Text.from(value) : value;
}

/** A result of the library's. A string made of foreign strings is foreign as a whole. */
function derived(result: TemplateValue, from: readonly TemplateValue[]): TemplateValue {
  if (result.type !== "StringValue" || result instanceof Text) return result;
  const origins = from.map(originOf);
  const origin = origins.includes("2") ? "2" : origins.includes("1") ? "1" : "0";
  return Text.of(String(result.value), origin);
}

/** The list that a loop walks through, as the library expects it. Items to unpack are lists too. */
function walkable(value: TemplateValue, unpacks: boolean): TemplateValue {
  const items = itemsOf(value);
  if (items === undefined) return value;
  return new ListValue(
    unpacks
      ? items.map((item) => (item.type === "TupleValue" ? new ListValue(itemsOf(item) ?? []) : item))
      : items,
  );
}
