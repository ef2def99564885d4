import { instantiateKernels } from "#dist/wasm/kernel-build.js";
import type { Kernels } from "#dist/wasm/kernels.js";
import type { Build } from "./builds.js";
import type { ByteRange, KernelCase, Outcome, Way } from "./kernel-case.js";

const pageBytes = 65536;
const memoryBytes = 24 * pageBytes;
/** Bytes between blocks. Not a multiple of 16, so that blocks without required alignment are unaligned. */
const gapBytes = 84;

/** A separate memory with a build's kernels. */
export interface Stage {
  readonly build: Build;
  readonly kernels: Kernels;
  /**
   * Runs a case in every way, with every block in turn at the very end of memory, where an over-read traps.
   * @throws unless all ways give the same bytes and no other byte of memory has changed.
   */
  perform(kernelCase: KernelCase): Outcome;
}

export function createStage(build: Build): Stage {
  const memory = new WebAssembly.Memory({ initial: memoryBytes / pageBytes, maximum: 65536, shared: true });
  const kernels = instantiateKernels(build.module, memory);
  const bytes = new Uint8Array(memory.buffer);
  // The first page contains the module's constants, which must not change either. So the fill starts at the
  // second page.
  for (let i = pageBytes; i < memoryBytes; i += 1) bytes[i] = (i * 31) & 0xff;
  const before = new Uint8Array(memoryBytes);

  function perform(kernelCase: KernelCase, way: Way, lastBlock: string | undefined): Outcome {
    const addresses = assignAddresses(kernelCase, lastBlock);
    const addressOf = (block: string): number => {
      const address = addresses.get(block);
      if (address === undefined) throw new Error(`case "${kernelCase.name}" has no block "${block}"`);
      return address;
    };
    for (const [block, content] of Object.entries(kernelCase.blocks)) bytes.set(content, addressOf(block));
    before.set(bytes);
    const returned = way(kernels, addressOf);
    requireUnchanged(before, bytes, allowedRanges(kernelCase, addressOf));
    const after = new Map(
      Object.entries(kernelCase.blocks).map(([block, { length }]) => [
        block,
        new Uint8Array(bytes.subarray(addressOf(block), addressOf(block) + length)),
      ]),
    );
    return outcome(typeof returned === "number" ? returned : undefined, after);
  }

  return {
    build,
    kernels,
    perform(kernelCase): Outcome {
      const [plain, ...others] = kernelCase.ways;
      const first = perform(kernelCase, plain, undefined);
      others.forEach((way, index) =>
        requireEqual(kernelCase, first, perform(kernelCase, way, undefined), `way ${index + 2}`),
      );
      for (const block of Object.keys(kernelCase.blocks)) {
        requireEqual(kernelCase, first, perform(kernelCase, plain, block), `"${block}" at the end of memory`);
      }
      return first;
    },
  };
}

/**
 * Addresses from the end of memory backwards. `lastBlock` ends at the end of memory, as far as its alignment
 * allows.
 */
function assignAddresses(kernelCase: KernelCase, lastBlock: string | undefined): Map<string, number> {
  const names = Object.keys(kernelCase.blocks);
  const order = lastBlock === undefined ? names : [lastBlock, ...names.filter((name) => name !== lastBlock)];
  const addresses = new Map<string, number>();
  let end = lastBlock === undefined ? memoryBytes - gapBytes : memoryBytes;
  for (const name of order) {
    let address = end - (kernelCase.blocks[name]?.length ?? 0);
    if (kernelCase.aligned.includes(name)) address -= address % 16;
    if (address < pageBytes) throw new Error(`case "${kernelCase.name}" is too large for the test's memory`);
    addresses.set(name, address);
    end = address - gapBytes;
  }
  return addresses;
}

function allowedRanges(kernelCase: KernelCase, addressOf: (block: string) => number): ByteRange[] {
  return Object.entries(kernelCase.writes)
    .flatMap(([block, ranges]) =>
      ranges.map(([begin, end]): ByteRange => [addressOf(block) + begin, addressOf(block) + end]),
    )
    .sort(([a], [b]) => a - b);
}

function requireUnchanged(before: Uint8Array, after: Uint8Array, allowed: readonly ByteRange[]): void {
  let begin = 0;
  for (const [from, to] of [...allowed, [memoryBytes, memoryBytes] as const]) {
    if (begin < from && Buffer.compare(before.subarray(begin, from), after.subarray(begin, from)) !== 0) {
      const index = before.subarray(begin, from).findIndex((byte, i) => byte !== after[begin + i]);
      throw new Error(`byte ${begin + index} changed, ${from - begin - index} before the next that may`);
    }
    begin = Math.max(begin, to);
  }
}

function outcome(returned: number | undefined, after: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Outcome {
  const bytes = (block: string): Uint8Array<ArrayBuffer> => {
    const content = after.get(block);
    if (content === undefined) throw new Error(`no block "${block}"`);
    return content;
  };
  return {
    returned,
    bytes,
    floats: (block) => new Float32Array(bytes(block).buffer, 0, bytes(block).length >> 2),
    ints: (block) => new Int32Array(bytes(block).buffer, 0, bytes(block).length >> 2),
  };
}

/** @throws unless two outcomes of a case are identical to the byte. */
export function requireEqual(kernelCase: KernelCase, expected: Outcome, actual: Outcome, how: string): void {
  if (actual.returned !== expected.returned) {
    throw new Error(`${how}: returned ${String(actual.returned)}, expected ${String(expected.returned)}`);
  }
  for (const block of Object.keys(kernelCase.writes)) {
    if (kernelCase.scratch?.includes(block) === true) continue;
    const index = expected.bytes(block).findIndex((byte, i) => byte !== actual.bytes(block)[i]);
    if (index >= 0) throw new Error(`${how}: byte ${index} of "${block}" differs`);
  }
}
