/** Finds tokens that are parts of other tokens without making strings of the parts. */
export interface TokenIndex {
  /**
   * @returns the position of `text.slice(begin, end)` in the list, or −1. The last call of `load` set the
   *   text.
   */
  find(begin: number, end: number): number;
  /** Makes a text the one to look into: one string, or two that stand side by side. */
  load(text: string, more?: string): void;
}

const base = 0x01000193;

/** @param texts Missing texts are never found. Of equal texts the first is found. */
export function createTokenIndex(texts: readonly (string | undefined)[]): TokenIndex {
  let bits = 4;
  while (1 << bits < 2 * texts.length) bits += 1;
  const mask = (1 << bits) - 1;
  const slots = new Int32Array(1 << bits).fill(-1);
  const hashes = new Int32Array(texts.length);
  let units = new Uint16Array(1024);
  /** Hashes of the loaded text's beginnings. A part's hash follows from two of them. */
  let prefixes = new Int32Array(1025);
  let powers = powersOf(1025);

  const slotOf = (hash: number): number => Math.imul(hash, 0x9e3779b1) >>> (32 - bits);

  function equals(text: string, begin: number, end: number): boolean {
    if (text.length !== end - begin) return false;
    for (let at = begin; at < end; at += 1) if (text.charCodeAt(at - begin) !== units[at]) return false;
    return true;
  }

  const index: TokenIndex = {
    find(begin, end): number {
      const hash = ((prefixes[end] ?? 0) - Math.imul(prefixes[begin] ?? 0, powers[end - begin] ?? 0)) | 0;
      for (let slot = slotOf(hash); ; slot = (slot + 1) & mask) {
        const found = slots[slot] ?? -1;
        if (found === -1) return -1;
        if (hashes[found] === hash && equals(texts[found] ?? "", begin, end)) return found;
      }
    },
    load(text, more = ""): void {
      const length = text.length + more.length;
      if (length > units.length) {
        units = new Uint16Array(2 * length);
        prefixes = new Int32Array(2 * length + 1);
        powers = powersOf(2 * length + 1);
      }
      let hash = 0;
      for (let at = 0; at < length; at += 1) {
        const unit = at < text.length ? text.charCodeAt(at) : more.charCodeAt(at - text.length);
        units[at] = unit;
        hash = (Math.imul(hash, base) + unit + 1) | 0;
        prefixes[at + 1] = hash;
      }
    },
  };
  texts.forEach((text, position) => {
    if (text === undefined || text === "") return;
    index.load(text);
    if (index.find(0, text.length) !== -1) return;
    const hash = prefixes[text.length] ?? 0;
    hashes[position] = hash;
    let slot = slotOf(hash);
    while (slots[slot] !== -1) slot = (slot + 1) & mask;
    slots[slot] = position;
  });
  return index;
}

function powersOf(count: number): Int32Array<ArrayBuffer> {
  const powers = new Int32Array(count);
  let power = 1;
  for (let exponent = 0; exponent < count; exponent += 1) {
    powers[exponent] = power;
    power = Math.imul(power, base);
  }
  return powers;
}
