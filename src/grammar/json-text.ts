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
 * Whitespace between the parts of a value: none, a space, or a line break with indentation. JSON allows any
 * amount, but some models would never stop.
 */
export const space: Expression = asRule(
  choice(empty, text(" "), sequence(text("\n"), repeat(choice(text(" "), text("\t")), 0, 20))),
);

const hex = byteOf([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
const letterD = byteOf([0x44, 0x44], [0x64, 0x64]);
/** \uXXXX, twice for a character past U+FFFF: a lone surrogate is no text. */
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
/** Characters that need no escape in a string. */
const plain: CodePoints = [
  [0x20, 0x21],
  [0x23, 0x5b],
  [0x5d, lastCodePoint],
];
/** One character of a string, in any spelling. */
export const character: Expression = asRule(
  choice(utf8(plain), sequence(text("\\"), choice(...Array.from('"\\/bfnrt', text), escapedUnit))),
);

/** One of these characters in a string, spelled as by `JSON.stringify`. */
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

/** A string of `min` to `max` characters. */
export function stringOf(min: number, max: number): Expression {
  return sequence(text('"'), repeat(character, min, max), text('"'));
}

const digit = byteOf([0x30, 0x39]);
/** A double keeps this many digits exactly. Most validators refuse numbers that overflow to Infinity. */
export const maxDigits = 15;
const whole = choice(text("0"), sequence(byteOf([0x31, 0x39]), repeat(digit, 0, maxDigits - 1)));

export const integer: Expression = asRule(
  choice(text("0"), sequence(optional(text("-")), byteOf([0x31, 0x39]), repeat(digit, 0, maxDigits - 1))),
);
export const number: Expression = asRule(
  sequence(
    optional(text("-")),
    whole,
    optional(sequence(text("."), repeat(digit, 1, maxDigits))),
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

/** An array of `min` to `max` items. */
export function arrayOf(item: Expression, min: number, max: number): Expression {
  const none = sequence(text("["), space, text("]"));
  if (max === 0) return min === 0 ? none : choice();
  const more = repeat(asRule(sequence(text(","), space, item)), Math.max(0, min - 1), max - 1);
  const some = sequence(text("["), space, item, more, space, text("]"));
  return min === 0 ? choice(none, some) : some;
}

/** A member of an object. */
export function member(key: Expression, value: Expression): Expression {
  return sequence(key, text(":"), space, value);
}

/** An object with `min` to `max` of such members. */
export function objectOf(each: Expression, min: number, max: number): Expression {
  const one = asRule(each);
  const none = sequence(text("{"), space, text("}"));
  if (max === 0) return min === 0 ? none : choice();
  const more = repeat(asRule(sequence(text(","), space, one)), Math.max(0, min - 1), max - 1);
  const some = sequence(text("{"), space, one, more, space, text("}"));
  return min === 0 ? choice(none, some) : some;
}

const anyValue = openRule();
/** Any JSON value. */
export const value: Expression = use(anyValue);
export const string: Expression = asRule(stringOf(0, Infinity));
export const object: Expression = asRule(objectOf(member(string, value), 0, Infinity));
export const array: Expression = asRule(arrayOf(value, 0, Infinity));
anyValue.body = choice(object, array, string, number, boolean, none);
