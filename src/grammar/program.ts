import { BitNetError } from "../errors.js";
import { drain, type Steps } from "../text/slices.js";
import type { ByteRange, Expression, Rule } from "./expression.js";

/** A grammar as instructions for a machine with a stack. */
export interface Program {
  readonly code: readonly Instruction[];
  readonly start: number;
  /** Per byte, 1 where an instruction's range begins, or where the byte is the first after one. */
  readonly begins: Uint8Array;
}

export type Instruction =
  | { readonly op: "byte"; readonly ranges: readonly ByteRange[]; readonly next: number }
  /** Continues at all targets. */
  | { readonly op: "fork"; readonly targets: readonly number[] }
  /** Continues at `target`, and after its return at `next`. */
  | { readonly op: "call"; readonly target: number; readonly next: number }
  | { readonly op: "return" };

/** Many times the size of any realistic schema. */
const maxInstructions = 1 << 18;
const returns = 0;
/** Less than a millisecond. */
const expressionsPerStep = 512;
const rulesPerStep = 32;

/**
 * Compiles an expression, without the parts that no finite text fits. So every state can still be completed.
 *
 * @returns undefined if no text fits at all.
 * @throws BitNetError INVALID_ARGUMENT if it is too large.
 */
export function compileExpression(root: Expression): Program | undefined {
  return drain(compileSteps(root));
}

/** As `compileExpression`, in steps. */
export function* compileSteps(root: Expression): Steps<Program | undefined> {
  const fitting = yield* findFitting(root);
  const fits = (expression: Expression): boolean => canFit(expression, fitting);
  if (!fits(root)) return undefined;

  const code: Instruction[] = [{ op: "return" }];
  const begins = new Uint8Array(257);
  const entries = new Map<Rule, number>();
  const unresolved: { readonly at: number; readonly rule: Rule; readonly next: number | undefined }[] = [];
  const queue: Rule[] = [];

  function add(instruction: Instruction): number {
    if (code.length >= maxInstructions) {
      throw new BitNetError("INVALID_ARGUMENT", "Cannot keep to the grammar: it is too large");
    }
    if (instruction.op === "byte")
      for (const [first, last] of instruction.ranges) begins[first] = begins[last + 1] = 1;
    return code.push(instruction) - 1;
  }

  function emitRule(rule: Rule, next: number): number {
    if (!entries.has(rule)) {
      entries.set(rule, -1);
      queue.push(rule);
    }
    const at = add({ op: "return" });
    // A tail call needs no return address.
    unresolved.push({ at, rule, next: next === returns ? undefined : next });
    return at;
  }

  function* emitRepeat(body: Expression, min: number, max: number, next: number): Steps<number> {
    if (!fits(body)) return next;
    const copies = max === Infinity ? min + 1 : max;
    const once: Expression = copies > 1 && body.kind !== "rule" ? { kind: "rule", rule: ruleOf(body) } : body;
    let entry = next;
    if (max === Infinity) {
      const fork = add({ op: "return" });
      code[fork] = { op: "fork", targets: [yield* emit(once, fork), next] };
      entry = fork;
    } else {
      for (let count = min; count < max; count += 1) {
        entry = add({ op: "fork", targets: [yield* emit(once, entry), next] });
      }
    }
    for (let count = 0; count < min; count += 1) entry = yield* emit(once, entry);
    return entry;
  }

  const bodies = new Map<Expression, Rule>();
  function ruleOf(body: Expression): Rule {
    const known = bodies.get(body);
    if (known !== undefined) return known;
    const rule = { body };
    bodies.set(body, rule);
    return rule;
  }

  let emitted = 0;
  /** @returns the first instruction of an expression that continues at `next`. */
  function* emit(expression: Expression, next: number): Steps<number> {
    emitted += 1;
    if (emitted % expressionsPerStep === 0) yield;
    let after = next;
    switch (expression.kind) {
      case "byte":
        return add({ op: "byte", ranges: expression.ranges, next });
      case "text":
        for (const byte of expression.bytes.toReversed()) {
          after = add({ op: "byte", ranges: [[byte, byte]], next: after });
        }
        return after;
      case "sequence":
        for (const part of expression.parts.toReversed()) after = yield* emit(part, after);
        return after;
      case "choice": {
        const targets: number[] = [];
        for (const option of expression.options) if (fits(option)) targets.push(yield* emit(option, next));
        return add({ op: "fork", targets });
      }
      case "repeat":
        return yield* emitRepeat(expression.body, expression.min, expression.max, next);
      case "rule":
        return emitRule(expression.rule, next);
    }
  }

  const start = yield* emit(root, returns);
  for (const rule of queue) entries.set(rule, yield* emit(rule.body, returns));
  for (const [index, { at, rule, next }] of unresolved.entries()) {
    if (index % expressionsPerStep === 0) yield;
    const target = entries.get(rule) ?? returns;
    code[at] = next === undefined ? { op: "fork", targets: [target] } : { op: "call", target, next };
  }
  return { code, start, begins };
}

/** The rules that at least one finite text fits. */
function* findFitting(root: Expression): Steps<ReadonlySet<Rule>> {
  const users = new Map<Rule, Rule[]>();
  const rules = new Set<Rule>();
  visitRules(root, (rule) => rules.add(rule));
  // The loop also visits rules that it adds.
  let seen = 0;
  for (const rule of rules) {
    seen += 1;
    if (seen % rulesPerStep === 0) yield;
    visitRules(rule.body, (used) => {
      rules.add(used);
      const known = users.get(used);
      if (known === undefined) users.set(used, [rule]);
      else if (known.at(-1) !== rule) known.push(rule);
    });
  }
  const fitting = new Set<Rule>();
  const queue = [...rules];
  for (let rule = queue.pop(); rule !== undefined; rule = queue.pop()) {
    seen += 1;
    if (seen % rulesPerStep === 0) yield;
    if (fitting.has(rule) || !canFit(rule.body, fitting)) continue;
    fitting.add(rule);
    for (const user of users.get(rule) ?? []) queue.push(user);
  }
  return fitting;
}

function canFit(expression: Expression, fitting: ReadonlySet<Rule>): boolean {
  switch (expression.kind) {
    case "byte":
    case "text":
      return true;
    case "sequence":
      return expression.parts.every((part) => canFit(part, fitting));
    case "choice":
      return expression.options.some((option) => canFit(option, fitting));
    case "repeat":
      return expression.max >= expression.min && (expression.min === 0 || canFit(expression.body, fitting));
    case "rule":
      return fitting.has(expression.rule);
  }
}

/** Visits the rules that an expression uses, once for each use. */
function visitRules(expression: Expression, visit: (rule: Rule) => void): void {
  if (expression.kind === "rule") visit(expression.rule);
  else if (expression.kind === "sequence") for (const part of expression.parts) visitRules(part, visit);
  else if (expression.kind === "choice") for (const option of expression.options) visitRules(option, visit);
  else if (expression.kind === "repeat") visitRules(expression.body, visit);
}
