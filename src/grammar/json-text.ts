import { type CodePoints, intersection, lastCodePoint, utf8 } from "./code-points.js";
import {
  asRule,
  byteOf,
  choice,
  empty,
  type Expression,
  openRule,
  optional,
  repeat,
  sequence,
  text,
  use,
} from "./expression.js";

/**
 * Between the parts of a value: nothing, a space, or a line with its indentation. JSON allows any amount, and there are
 * models that would not stop.
 */
export const space: Expression = asRule(
  choice(empty, text(" "), sequence(text("\n"), repeat(choice(text(" "), text("\t")), 0, 20))),
);

const hex = byteOf([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
const letterD = byteOf([0x44, 0x44], [0x64, 0x64]);
/** \uXXXX, and two of them for a character past U+FFFF: halves of characters alone are no text. */
const escapedUnit = sequence(
  text("u"),
  choice(
    sequence(byteOf([0x30, 0x39], [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]), repeat(hex, 3, 3)),
    sequence(letterD, byteOf([0x30, 0x37]), repeat(hex, 2, 2)),
    sequence(
      letterD,
      byteOf([0x38, 0x39], [0x41, 0x42], [0x61, 0x62]),
      repeat(hex, 2, 2),
      text("\\u"),
      letterD,
      byteOf([0x43, 0x46], [0x63, 0x66]),
      repeat(hex, 2, 2),
    ),
  ),
);
/** What stands in a string as it is. */
const plain: CodePoints = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, lastCodePoint],
];
/** One character of a string, in any spelling. */
export const character: Expression = asRule(
  choice(utf8(plain), sequence(text("\\"), choice(...Array.from('"\\/bfnrt', text), escapedUnit))),
);

/** One character of those in a string, in the spelling that `JSON.stringify` gives it. */
export function characterOf(points: CodePoints): Expression {
  const escaped = intersection(points, [
    [0, 0x1f],
    [0x22, 0x22],
    [0x5c, 0x5c],
  ]).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) =>
      text(JSON.stringify(String.fromCodePoint(first + index)).slice(1, -1)),
    ),
  );
  return choice(utf8(intersection(points, plain)), ...escaped);
}

/** @param length in characters. */
export function stringOf(least: number, most: number): Expression {
  return sequence(text('"'), repeat(character, least, most), text('"'));
}

const digit = byteOf([0x30, 0x39]);
/** As many digits as a double keeps exactly; numbers that become Infinity are no JSON numbers to most validators. */
export const mostDigits = 15;
const whole = choice(text("0"), sequence(byteOf([0x31, 0x39]), repeat(digit, 0, mostDigits - 1)));

export const integer: Expression = asRule(
  choice(text("0"), sequence(optional(text("-")), byteOf([0x31, 0x39]), repeat(digit, 0, mostDigits - 1))),
);
export const number: Expression = asRule(
  sequence(
    optional(text("-")),
    whole,
    optional(sequence(text("."), repeat(digit, 1, mostDigits))),
    optional(
      sequence(
        byteOf([0x45, 0x45], [0x65, 0x65]),
        optional(byteOf([0x2b, 0x2b], [0x2d, 0x2d])),
        repeat(digit, 1, 2),
      ),
    ),
  ),
);
export const boolean: Expression = choice(text("true"), text("false"));
const none: Expression = text("null");
export { none as null };

/** An array of at least `least` and at most `most` items. */
export function arrayOf(item: Expression, least: number, most: number): Expression {
  const none = sequence(text("["), space, text("]"));
  if (most === 0) return least === 0 ? none : choice();
  const more = repeat(asRule(sequence(text(","), space, item)), Math.max(0, least - 1), most - 1);
  const some = sequence(text("["), space, item, more, space, text("]"));
  return least === 0 ? choice(none, some) : some;
}

/** An object whose members' names may be anything. */
export function objectOf(value: Expression, least: number, most: number): Expression {
  const member = asRule(sequence(stringOf(0, Infinity), text(":"), space, value));
  const none = sequence(text("{"), space, text("}"));
  if (most === 0) return least === 0 ? none : choice();
  const more = repeat(asRule(sequence(text(","), space, member)), Math.max(0, least - 1), most - 1);
  const some = sequence(text("{"), space, member, more, space, text("}"));
  return least === 0 ? choice(none, some) : some;
}

const anyValue = openRule();
/** Any JSON value. */
export const value: Expression = use(anyValue);
export const object: Expression = asRule(objectOf(value, 0, Infinity));
export const array: Expression = asRule(arrayOf(value, 0, Infinity));
export const string: Expression = asRule(stringOf(0, Infinity));
anyValue.body = choice(object, array, string, number, boolean, none);
