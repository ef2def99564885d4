/** Incremental SHA-256 (FIPS 180-4). Browsers have a digest of whole buffers only. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** The digest in hexadecimal. Call it once, at the end. */
  digest(): string;
}

const blockBytes = 64;

/** Words from the fractional parts of square and cube roots of the first primes. */
const { initial, constants } = deriveWords();

export function createSha256(): Sha256 {
  const state = Int32Array.from(initial);
  const schedule = new Int32Array(64);
  const pending = new Uint8Array(blockBytes);
  let held = 0;
  let total = 0;

  function compress(bytes: Uint8Array, offset: number): void {
    for (let i = 0; i < 16; i += 1) {
      const at = offset + 4 * i;
      schedule[i] =
        ((bytes[at] ?? 0) << 24) |
        ((bytes[at + 1] ?? 0) << 16) |
        ((bytes[at + 2] ?? 0) << 8) |
        (bytes[at + 3] ?? 0);
    }
    for (let i = 16; i < 64; i += 1) {
      const x = schedule[i - 15] ?? 0;
      const y = schedule[i - 2] ?? 0;
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      schedule[i] = (schedule[i - 16] ?? 0) + s0 + (schedule[i - 7] ?? 0) + s1;
    }
    // One by one: destructuring would run an iterator for every block.
    let a = state[0] ?? 0;
    let b = state[1] ?? 0;
    let c = state[2] ?? 0;
    let d = state[3] ?? 0;
    let e = state[4] ?? 0;
    let f = state[5] ?? 0;
    let g = state[6] ?? 0;
    let h = state[7] ?? 0;
    for (let i = 0; i < 64; i += 1) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const choice = (e & f) ^ (~e & g);
      const first = (h + s1 + choice + (constants[i] ?? 0) + (schedule[i] ?? 0)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + s0 + majority) | 0;
    }
    state[0] = (state[0] ?? 0) + a;
    state[1] = (state[1] ?? 0) + b;
    state[2] = (state[2] ?? 0) + c;
    state[3] = (state[3] ?? 0) + d;
    state[4] = (state[4] ?? 0) + e;
    state[5] = (state[5] ?? 0) + f;
    state[6] = (state[6] ?? 0) + g;
    state[7] = (state[7] ?? 0) + h;
  }

  function update(bytes: Uint8Array): void {
    total += bytes.length;
    let offset = 0;
    if (held > 0) {
      offset = Math.min(bytes.length, blockBytes - held);
      pending.set(bytes.subarray(0, offset), held);
      held += offset;
      if (held < blockBytes) return;
      compress(pending, 0);
    }
    for (; offset + blockBytes <= bytes.length; offset += blockBytes) compress(bytes, offset);
    pending.set(bytes.subarray(offset));
    held = bytes.length - offset;
  }

  return {
    update,
    digest(): string {
      const bits = BigInt(total) * 8n;
      // One bit, zeros, and the length in the last eight bytes of a block.
      const tail = new Uint8Array(held < blockBytes - 8 ? blockBytes - held : 2 * blockBytes - held);
      tail[0] = 0x80;
      new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);
      update(tail);
      return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
    },
  };
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function deriveWords(): { readonly initial: Int32Array; readonly constants: Int32Array } {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
  return {
    initial: Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
    constants: Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
  };
}
