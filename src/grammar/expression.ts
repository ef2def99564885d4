import type { Steps } from "../text/slices.js";

/** A set of texts, byte by byte. Rules may refer to each other and to themselves. */
export type Expression =
  /** One byte in any of the ranges, both ends included. */
  | { readonly kind: "byte"; readonly ranges: readonly ByteRange[] }
  | { readonly kind: "text"; readonly bytes: Uint8Array }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  /** Any of the options; without options, no text fits. */
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  | { readonly kind: "repeat"; readonly body: Expression; readonly min: number; readonly max: number }
  | { readonly kind: "rule"; readonly rule: Rule };

export type ByteRange = readonly [first: number, last: number];

/** A shared expression: it is compiled once, for all its uses. */
export interface Rule {
  /** Set once; expressions may refer to the rule before. */
  body: Expression;
}

/** Fits no text. */
export const nothing: Expression = { kind: "choice", options: [] };
/** Fits the empty text. */
export const empty: Expression = { kind: "sequence", parts: [] };

const encoder = new TextEncoder();

export function text(value: string): Expression {
  return { kind: "text", bytes: encoder.encode(value) };
}

export function byteOf(...ranges: readonly ByteRange[]): Expression {
  return { kind: "byte", ranges };
}

export function sequence(...parts: readonly Expression[]): Expression {
  return { kind: "sequence", parts };
}

export function choice(...options: readonly Expression[]): Expression {
  return { kind: "choice", options };
}

export function optional(body: Expression): Expression {
  return choice(body, empty);
}

/** `max` may be Infinity. */
export function repeat(body: Expression, min: number, max: number): Expression {
  return { kind: "repeat", body, min, max };
}

/** A rule whose body is set later. Until then, no text fits it. */
export function openRule(): Rule {
  return { body: nothing };
}

export function use(rule: Rule): Expression {
  return { kind: "rule", rule };
}

export function asRule(body: Expression): Expression {
  return use({ body });
}

/** Less than a millisecond. */
const textsPerStep = 256;

/**
 * Any of several texts, made in steps. Shared prefixes occur once, so the cost depends on the texts that
 * still fit, not on all.
 */
export function* anyText(values: readonly string[]): Steps<Expression> {
  const texts: Uint8Array[] = [];
  for (const value of new Set(values)) {
    texts.push(encoder.encode(value));
    if (texts.length % textsPerStep === 0) yield;
  }
  return yield* sharedPrefix(texts, 0);
}

/** @param texts distinct, with equal bytes before `from`. */
function* sharedPrefix(texts: readonly Uint8Array[], from: number): Steps<Expression> {
  const [first] = texts;
  if (first === undefined) return nothing;
  if (texts.length === 1) return { kind: "text", bytes: first.subarray(from) };
  let end = first.length;
  for (const [index, each] of texts.entries()) {
    end = commonLength(first, each, from, end);
    if (index % textsPerStep === textsPerStep - 1) yield;
  }
  const groups = new Map<number | undefined, Uint8Array[]>();
  for (const each of texts) {
    const group = groups.get(each[end]);
    if (group === undefined) groups.set(each[end], [each]);
    else group.push(each);
  }
  yield;
  const options: Expression[] = [];
  for (const group of groups.values()) options.push(asRule(yield* sharedPrefix(group, end)));
  return sequence({ kind: "text", bytes: first.subarray(from, end) }, choice(...options));
}

/** @param end at most the length of `a`. */
function commonLength(a: Uint8Array, b: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && a[at] === b[at]) at += 1;
  return at;
}
