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

/**
 * Any of several texts. Shared prefixes occur once, so the cost depends on the texts that still fit, not on
 * all.
 */
export function anyText(values: readonly string[]): Expression {
  const sorted = [...new Set(values)].map((value) => encoder.encode(value)).sort(compareBytes);
  return sharedPrefix(sorted, 0);
}

/** @param texts sorted and distinct, with equal bytes before `from`. */
function sharedPrefix(texts: readonly Uint8Array[], from: number): Expression {
  const [first] = texts;
  const last = texts.at(-1);
  if (first === undefined || last === undefined) return nothing;
  let end = from;
  // A prefix of the first and the last of a sorted list is a prefix of all.
  while (end < first.length && end < last.length && first[end] === last[end]) end += 1;
  const prefix: Expression = { kind: "text", bytes: first.subarray(from, end) };
  if (texts.length === 1) return { kind: "text", bytes: first.subarray(from) };
  const groups = new Map<number | undefined, Uint8Array[]>();
  for (const each of texts) {
    const group = groups.get(each[end]);
    if (group === undefined) groups.set(each[end], [each]);
    else group.push(each);
  }
  return sequence(prefix, choice(...[...groups.values()].map((group) => asRule(sharedPrefix(group, end)))));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
