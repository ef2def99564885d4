/**
 * Makes the bytes of a kernel build from those of another one. scripts/binary-patch.mjs makes the patch, and
 * describes it.
 *
 * @param base the bytes that the patch was made for
 * @param patch length of the result, then steps of literal bytes and a part of the base
 */
export function applyPatch(base: Uint8Array, patch: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = 0;
  const nextInteger = (): number => {
    let number = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = patch[at] ?? 0;
      at += 1;
      number += (byte % 128) * unit;
      if (byte < 128) return number;
    }
  };
  const result = new Uint8Array(nextInteger());
  let length = 0;
  const append = (bytes: Uint8Array): void => {
    result.set(bytes, length);
    length += bytes.length;
  };
  let partEnd = 0;
  while (at < patch.length) {
    const literals = nextInteger();
    append(patch.subarray(at, at + literals));
    at += literals;
    const distance = nextInteger();
    const partStart = partEnd + (distance % 2 === 0 ? distance / 2 : -(distance + 1) / 2);
    partEnd = partStart + nextInteger();
    append(base.subarray(partStart, partEnd));
  }
  return result;
}
