import type { ByteSource } from "../platform/byte-source.js";
import { allocateBytes, requireRange } from "../platform/ranges.js";

/** Computes bytes that no file contains, a whole number of units at a time. */
export interface Making {
  /** Name of the source for messages. */
  readonly name: string;
  readonly units: number;
  readonly unitBytes: number;
  /** Fills `target`, whose length is a multiple of `unitBytes`, beginning with unit `first`. */
  make(first: number, target: Uint8Array): Promise<void>;
  /** Bytes after the units. */
  readonly tail?: { readonly bytes: number; make(): Promise<Uint8Array> };
}

/** Bytes per call: enough that calls cost nothing, few enough that memory does not matter. */
const stepBytes = 2 ** 20;

/**
 * A source that computes its bytes when they are read. Units that a read covers are written in place. The
 * last unit that a read cuts is kept, because the next read usually needs the rest of it.
 */
export function madeSource({ name, units, unitBytes, make, tail }: Making): ByteSource {
  const bodyBytes = units * unitBytes;
  const size = bodyBytes + (tail?.bytes ?? 0);
  const unitsPerStep = Math.max(1, Math.floor(stepBytes / unitBytes));
  let kept: { readonly unit: number; readonly bytes: Uint8Array } | undefined;

  async function wholeUnit(unit: number): Promise<Uint8Array> {
    if (kept?.unit === unit) return kept.bytes;
    const bytes = new Uint8Array(unitBytes);
    await make(unit, bytes);
    kept = { unit, bytes };
    return bytes;
  }

  async function readBody(offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length;) {
      const at = offset + done;
      const unit = Math.floor(at / unitBytes);
      const inside = at - unit * unitBytes;
      const wanted = target.length - done;
      if (inside > 0 || wanted < unitBytes) {
        const piece = (await wholeUnit(unit)).subarray(inside, inside + wanted);
        target.set(piece, done);
        done += piece.length;
        continue;
      }
      const bytes = Math.min(unitsPerStep, Math.floor(wanted / unitBytes)) * unitBytes;
      await make(unit, target.subarray(done, done + bytes));
      done += bytes;
    }
  }

  const source: ByteSource = {
    name,
    size,
    async read(offset, length) {
      requireRange(name, size, offset, length);
      const target = allocateBytes(name, length);
      await source.readInto(offset, target);
      return target;
    },
    async readInto(offset, target) {
      requireRange(name, size, offset, target.length);
      const inBody = Math.max(0, Math.min(target.length, bodyBytes - offset));
      await readBody(offset, target.subarray(0, inBody));
      if (tail === undefined || inBody === target.length) return;
      const begin = offset + inBody - bodyBytes;
      target.set((await tail.make()).subarray(begin, begin + target.length - inBody), inBody);
    },
    // The input has an owner who closes it.
    async close() {
      kept = undefined;
    },
  };
  return source;
}
