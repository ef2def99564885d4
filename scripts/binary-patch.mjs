// Makes a patch: the bytes of one file as parts of another file and the bytes that differ.
// `applyPatch` in src/wasm/patch.ts reads it.

/** Bytes that must match before a part is worth its numbers. Of 6 to 64, this gave the smallest patch. */
const leastMatch = 16;
const keyBytes = 8;

/** @returns the number in groups of seven bits, the lowest first; the highest bit says that more follow */
function variableInteger(number) {
  const bytes = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

function matchLength(base, from, target, at) {
  let length = 0;
  while (
    at + length < target.length &&
    from + length < base.length &&
    base[from + length] === target[at + length]
  )
    length += 1;
  return length;
}

/**
 * The patch is the length of the target, and steps. A step is a count of literal bytes, these bytes, a start
 * in the base, and a count of bytes to copy from there. A start is relative to the end of the last part, so
 * that neighbors have small numbers: 2·n forwards, 2·n − 1 backwards.
 *
 * @param base bytes that the reader has
 * @param target bytes to make from them
 * @returns the patch
 */
export function makePatch(base, target) {
  const places = new Map();
  for (let at = 0; at + keyBytes <= base.length; at += 1) {
    const key = base.readBigUInt64LE(at);
    const found = places.get(key);
    if (found === undefined) places.set(key, [at]);
    // Zeros and loops repeat. A few places are enough.
    else if (found.length < 64) found.push(at);
  }
  const patch = [variableInteger(target.length)];
  let literalStart = 0;
  let partEnd = 0;
  const addStep = (at, from, length) => {
    const distance = from - partEnd;
    patch.push(variableInteger(at - literalStart), [...target.subarray(literalStart, at)]);
    patch.push(variableInteger(distance < 0 ? -2 * distance - 1 : 2 * distance), variableInteger(length));
    literalStart = at + length;
    partEnd = from + length;
  };
  for (let at = 0; at + keyBytes <= target.length;) {
    const candidates = places.get(target.readBigUInt64LE(at)) ?? [];
    const best = candidates
      .map((from) => ({ from, length: matchLength(base, from, target, at) }))
      .reduce((one, other) => (other.length > one.length ? other : one), { from: 0, length: 0 });
    if (best.length < leastMatch) at += 1;
    else {
      addStep(at, best.from, best.length);
      at += best.length;
    }
  }
  if (literalStart < target.length) addStep(target.length, partEnd, 0);
  return Buffer.from(patch.flat());
}
