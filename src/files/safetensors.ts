import { BitNetError, throwIfAborted } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";
import { JsonCursor } from "./json-cursor.js";

/** One tensor of a safetensors file. */
export interface SafetensorsTensor {
  readonly name: string;
  /** The file's name for it: "BF16", "U8". */
  readonly dtype: string;
  /**
   * Sizes with the slowest-varying first, like PyTorch: a matrix is [rows, cols]. May be empty, and may have
   * zeros.
   */
  readonly shape: readonly number[];
  readonly source: ByteSource;
  /** First byte in the file, absolute. */
  readonly offset: number;
  readonly bytes: number;
  /** Offset of its entry in the file, for messages. */
  readonly headerOffset: number;
}

/** A safetensors file with a checked header. Its data is not read. */
export interface SafetensorsFile {
  readonly source: ByteSource;
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

/** Bits of an element, by dtype. */
const dtypeBits: ReadonlyMap<string, number> = new Map([
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ...(["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"] as const).map((name) => [name, 8] as const),
  ...(["I16", "U16", "F16", "BF16"] as const).map((name) => [name, 16] as const),
  ...(["I32", "U32", "F32"] as const).map((name) => [name, 32] as const),
  ...(["I64", "U64", "F64", "C64"] as const).map((name) => [name, 64] as const),
]);

const lengthBytes = 8;
/** The reference implementation's limit. Real headers have a few hundred kilobytes. */
const maxHeaderBytes = 100_000_000;
/** As for GGUF: models have at most a few thousand. */
const maxTensors = 262_144;
const maxDimensions = 8;
const maxNameLength = 65_535;
/** Below this many elements, sizes in bits of any dtype are exact. */
const maxElements = 2 ** 46;

/** A tensor's entry in the header. */
interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly headerOffset: number;
}

/**
 * Reads the header of a safetensors file: a u64 length, then JSON with every tensor's dtype, shape and byte
 * range.
 *
 * As strict as the format's definition. Tensors cover the data without overlaps or gaps. The length of a
 * range matches dtype and shape. No key occurs twice, and all text is UTF-8. Every count and length is
 * compared with the file's size before it is used.
 *
 * @param source stays open; the caller closes it
 * @throws BitNetError FILE_CORRUPT with the byte's offset as `details.offset`; FILE_READ if the host fails;
 *   the signal's reason.
 */
export async function openSafetensors(
  source: ByteSource,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<SafetensorsFile> {
  throwIfAborted(options.signal);
  const headerBytes = await readHeaderLength(source);
  const header = await source.read(lengthBytes, headerBytes);
  throwIfAborted(options.signal);
  if (header[0] !== 0x7b) throw corrupt(source, "the header does not begin with {", lengthBytes);

  const cursor = new JsonCursor(source.name, header, lengthBytes);
  const entries: Entry[] = [];
  cursor.object("the header", (name, headerOffset) => {
    if (name === "__metadata__") {
      return cursor.object(
        "__metadata__",
        (key) => void cursor.string(`the value of ${JSON.stringify(key)} in __metadata__`),
      );
    }
    if (name === "") throw cursor.corrupt("a tensor's name is empty", headerOffset);
    if (name.length > maxNameLength) throw cursor.corrupt("a tensor's name is too long", headerOffset);
    if (entries.length === maxTensors) {
      throw cursor.corrupt(`the header has more than ${maxTensors} tensors`, headerOffset);
    }
    entries.push(readEntry(cursor, name, headerOffset));
  });
  cursor.end("the header");
  const dataOffset = lengthBytes + headerBytes;
  requireGapless(source, entries, source.size - dataOffset);
  return {
    source,
    tensors: new Map(entries.map((entry) => [entry.name, locate(source, entry, dataOffset)])),
  };
}

async function readHeaderLength(source: ByteSource): Promise<number> {
  if (source.size < lengthBytes) {
    throw corrupt(source, `the file has ${source.size} bytes, and the length of its header takes 8`, 0);
  }
  const field = await source.read(0, lengthBytes);
  const length = new DataView(field.buffer, field.byteOffset).getBigUint64(0, true);
  if (length < 2n) throw corrupt(source, `a header of ${length} bytes is too short`, 0);
  if (length > BigInt(source.size - lengthBytes)) {
    const what = `the header should have ${length} bytes, and the file has ${source.size}`;
    throw corrupt(source, `${what}; it is not a safetensors file, or its download is incomplete`, 0);
  }
  if (length > maxHeaderBytes) {
    throw corrupt(source, `a header of ${length} bytes is more than the ${maxHeaderBytes} accepted`, 0);
  }
  return Number(length);
}

function readEntry(cursor: JsonCursor, name: string, headerOffset: number): Entry {
  const what = `tensor ${JSON.stringify(name)}`;
  let dtype: string | undefined;
  let shape: readonly number[] | undefined;
  let range: readonly number[] | undefined;
  cursor.object(what, (field, offset) => {
    switch (field) {
      case "dtype":
        dtype = cursor.string(`the dtype of ${what}`);
        return;
      case "shape":
        shape = readCounts(cursor, `the shape of ${what}`, maxDimensions);
        return;
      case "data_offsets":
        range = readCounts(cursor, `data_offsets of ${what}`, 2);
        return;
      default:
        throw cursor.corrupt(`${what} has a field ${JSON.stringify(field)}, which does not exist`, offset);
    }
  });
  const [begin, end] = range ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    throw cursor.corrupt(`${what} has no dtype, no shape or no data_offsets`, headerOffset);
  }
  if (begin > end) throw cursor.corrupt(`${what} ends at ${end}, before it begins at ${begin}`, headerOffset);

  const bits = dtypeBits.get(dtype);
  if (bits === undefined) {
    throw cursor.corrupt(
      `${what} has the dtype ${JSON.stringify(dtype)}, which does not exist`,
      headerOffset,
    );
  }
  // From the largest, so that a zero is found before a product grows beyond exact integers.
  const elements = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  if (elements > maxElements) {
    throw cursor.corrupt(`${what} has the impossible shape [${shape.join(", ")}]`, headerOffset);
  }
  const expected = (elements * bits) / 8;
  if (end - begin !== expected) {
    throw cursor.corrupt(
      `${what} has ${end - begin} bytes, and ${dtype} [${shape.join(", ")}] takes ${expected}`,
      headerOffset,
    );
  }
  return { name, dtype, shape, begin, end, headerOffset };
}

function readCounts(cursor: JsonCursor, what: string, max: number): readonly number[] {
  const counts: number[] = [];
  cursor.array(what, (index) => {
    if (index === max) throw cursor.corrupt(`${what} has more than ${max} numbers`);
    counts.push(cursor.count(what));
  });
  return counts;
}

/** Every byte of the data must belong to one tensor. A file with spare room could be two files at once. */
function requireGapless(source: ByteSource, entries: readonly Entry[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end, headerOffset } of entries.toSorted(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    const what = `tensor ${JSON.stringify(name)} (bytes ${begin} to ${end} of the data)`;
    if (begin < covered) throw corrupt(source, `${what} overlaps the one before it`, headerOffset);
    if (begin > covered) {
      throw corrupt(source, `${what} leaves a gap of ${begin - covered} bytes before it`, headerOffset);
    }
    if (end > dataBytes) {
      throw corrupt(
        source,
        `${what} ends past the ${dataBytes} bytes of data in the file; is the download complete?`,
        headerOffset,
      );
    }
    covered = end;
  }
  if (covered < dataBytes) {
    const what = `its last ${dataBytes - covered} bytes belong to no tensor`;
    throw corrupt(source, what, source.size - dataBytes + covered);
  }
}

function locate(source: ByteSource, entry: Entry, dataOffset: number): SafetensorsTensor {
  const { name, dtype, shape, begin, end, headerOffset } = entry;
  return { name, dtype, shape, source, offset: dataOffset + begin, bytes: end - begin, headerOffset };
}

function corrupt(source: ByteSource, what: string, offset: number): BitNetError {
  return new BitNetError("FILE_CORRUPT", `Cannot read "${source.name}": ${what} (at byte ${offset})`, {
    details: { offset },
  });
}
