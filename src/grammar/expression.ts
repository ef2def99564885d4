/** What texts may be, byte by byte: an expression with rules that may refer to each other, and to themselves. */
export type Expression =
  /** One byte, in any of the ranges; both ends belong to them. */
  | { readonly kind: "byte"; readonly ranges: readonly ByteRange[] }
  | { readonly kind: "text"; readonly bytes: Uint8Array }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  /** Any of them; with none, nothing at all fits. */
  | { readonly kind: "choice"; readonly options: readonly Expression[] }
  | { readonly kind: "repeat"; readonly body: Expression; readonly least: number; readonly most: number }
  | { readonly kind: "rule"; readonly rule: Rule };

export type ByteRange = readonly [first: number, last: number];

/** An expression that has a name's worth: it is there once, however often it is used. */
export interface Rule {
  /** Set once, after whatever refers to it. */
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

/** `most` may be Infinity. */
export function repeat(body: Expression, least: number, most: number): Expression {
  return { kind: "repeat", body, least, most };
}

/** A rule whose body comes later: until then, nothing fits it. */
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
 * Any of several texts. What they have in common at their beginnings is there once, so that a thousand of them cost no more
 * at a time than the few that still fit.
 */
export function anyText(values: readonly string[]): Expression {
  const sorted = [...new Set(values)].map((value) => encoder.encode(value)).sort(compareBytes);
  return sharedPrefix(sorted, 0);
}

/** @param texts sorted, all different, alike before `from`. */
function sharedPrefix(texts: readonly Uint8Array[], from: number): Expression {
  const [first] = texts;
  const last = texts.at(-1);
  if (first === undefined || last === undefined) return nothing;
  let end = from;
  // What the first and the last of a sorted list share, all do.
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
