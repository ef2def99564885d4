type Group = "L" | "N" | "M" | "P" | "later";

/**
 * Letters, numbers, marks and punctuation that Unicode 15.1 and 16 added: first and last code points in
 * hexadecimal. `later` has the additions of Unicode 17 to all four groups. Hosts know different versions.
 * Builds of Node.js 20 have 15 or 17. The words of a text must not depend on the host. Models were trained
 * with `tokenizers` and `tiktoken`, which know 16. Source: the Unicode Character Database.
 */
const ranges: Readonly<Record<Group, string>> = {
  L:
    "1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d4a-10d65 10d6f-10d85 10ec2-10ec4 11380-11389 1138b " +
    "1138e 11390-113b5 113b7 113d1 113d3 11bc0-11be0 13460-143fa 16100-1611d 16d40-16d6c 18cff " +
    "1e5d0-1e5ed 1e5f0 2ebf0-2ee5d",
  N: "10d40-10d49 116d0-116e3 11bf0-11bf9 16130-16139 16d70-16d79 1ccf0-1ccf9 1e5f1-1e5fa",
  M:
    "897 10d69-10d6d 10efc 113b8-113c0 113c2 113c5 113c7-113ca 113cc-113d0 113d2 113e1-113e2 11f5a " +
    "1611e-1612f 1e5ee-1e5ef",
  P: "1b4e-1b4f 1b7f 10d6e 113d4-113d5 113d7-113d8 11be1 16d6d-16d6f 1e5ff",
  later:
    "88f c5c cdc 1acf-1add 1ae0-1aeb a7ce-a7cf a7d2 a7d4 a7f1 10940-10959 10ec5-10ec7 10ed0 " +
    "10efa-10efb 11b60-11b67 11db0-11ddb 11de0-11de9 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 187f8-187ff " +
    "18d09-18d1e 18d80-18df2 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 2b73a-2b73f 2cea2-2cead 323b0-33479",
};

/**
 * Characters of the same group and length that every host knows. Those of Unicode 17 become unassigned ones.
 */
const standIns: Readonly<Record<Group, readonly [short: string, long: string]>> = {
  L: ["\u0904", "\u{10450}"],
  N: ["\u0967", "\u{104a0}"],
  M: ["\u0900", "\u{11001}"],
  P: ["\u0964", "\u{10100}"],
  later: ["\u0378", "\u{1fffe}"],
};

const groups = Object.keys(ranges) as readonly Group[];
const classes = groups.map((group) => [group, new RegExp(`[${classOf(ranges[group])}]`, "gu")] as const);
const anyOf = new RegExp(`[${groups.map((group) => classOf(ranges[group])).join("")}]`, "u");
/** A quick test, for nearly every text: no code point in question is below U+088F. */
const beyond = /[\u088f-\uffff]/;

function classOf(list: string): string {
  return list
    .split(" ")
    .map((range) =>
      range
        .split("-")
        .map((code) => `\\u{${code}}`)
        .join("-"),
    )
    .join("");
}

/**
 * The text for regular expressions, the same on every host. It has the same length and the groups of Unicode
 * 16.
 */
export function withUnicode16(text: string): string {
  if (!beyond.test(text) || !anyOf.test(text)) return text;
  return classes.reduce(
    (changed, [group, characters]) =>
      changed.replace(characters, (character) => standIns[group][character.length - 1] ?? character),
    text,
  );
}

/** An expression of Oniguruma's dialect for JavaScript: its `\s` is Unicode's White_Space. */
export function unicodeExpression(expression: string): RegExp {
  return new RegExp(
    expression.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"),
    "gu",
  );
}
