import { BitNetError } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";
import {
  type WeightFormat,
  isContestedId,
  undecodedTypeName,
  weightFormatsById,
} from "../weight-formats/index.js";
import { defaultAlignment, ggufMagic, maxDimensions, isAlignment, limits } from "./gguf-format.js";
import { minEntryBytes, readMetadata, readName, type MetadataMaps } from "./gguf-metadata.js";
import { HeaderCursor } from "./header-cursor.js";
import type { ModelFile, TensorInfo } from "./model-file.js";

/** The shortest tensor entry: a name of one byte, one size, a type and an offset. */
const minTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;
const maxVersion = 3;

/** A tensor entry of the header. Offsets are relative to the start of the tensor data. */
interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly typeId: number;
  readonly relativeOffset: number;
  /** Offsets of its sizes and its offset in the file, for messages. */
  readonly shapeField: number;
  readonly offsetField: number;
}

/**
 * Reads the header of a GGUF file, version 2 or 3, little-endian. Tensor data is not read.
 *
 * Nothing in the file is trusted. Counts, lengths, types, sizes and offsets are compared with the file's size
 * and with fixed limits before any allocation or loop. Text values that are not UTF-8 get U+FFFD for bad
 * bytes, because published vocabularies hold raw bytes. Keys and tensor names must be UTF-8.
 *
 * @param source stays open; the caller closes it
 * @throws BitNetError FILE_CORRUPT with the byte's offset as `details.offset`; UNSUPPORTED_FILE for version
 *   1, newer versions and big-endian files; FILE_READ if the host fails; the signal's reason.
 */
export async function openGguf(
  source: ByteSource,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ModelFile> {
  const cursor = new HeaderCursor(source, limits.headerBytes, options.signal);
  const version = await readVersion(cursor, source);

  const tensorCount = await cursor.count("tensors", minTensorBytes, limits.tensors);
  const keyCount = await cursor.count("metadata keys", minEntryBytes, limits.keys);
  const minBytes = tensorCount * minTensorBytes + keyCount * minEntryBytes;
  cursor.require(minBytes, `${keyCount} metadata keys and ${tensorCount} tensors`);

  const { metadata, metadataTypes, offsets } = await readMetadata(cursor, keyCount);
  const alignment = readAlignment(cursor, { metadata, offsets });
  const entries: TensorEntry[] = [];
  while (entries.length < tensorCount) entries.push(await readTensorEntry(cursor));

  const dataOffset = Math.ceil(cursor.offset / alignment) * alignment;
  const tensors = placeTensors(cursor, source, entries, dataOffset, alignment);
  return { container: "gguf", version, source, metadata, metadataTypes, tensors };
}

async function readVersion(cursor: HeaderCursor, source: ByteSource): Promise<number> {
  await cursor.need(8, "the magic and version");
  if (cursor.u32() !== ggufMagic) throw cursor.corrupt('the file does not begin with "GGUF"', 0);
  const version = cursor.u32();
  if (version === 2 || version === maxVersion) return version;
  if (version === 0) throw cursor.corrupt("GGUF version 0 does not exist", 4);

  const why =
    (version & 0xffff) === 0
      ? "it is a big-endian GGUF file; convert it to little-endian"
      : version < 2
        ? "it is GGUF version 1, which is not supported; convert the model again with current tools"
        : `it is GGUF version ${version}; this release reads versions 2 and 3`;
  throw new BitNetError("UNSUPPORTED_FILE", `Cannot read "${source.name}": ${why}`, {
    details: { version, offset: 4 },
  });
}

function readAlignment(
  cursor: HeaderCursor,
  { metadata, offsets }: Pick<MetadataMaps, "metadata" | "offsets">,
): number {
  const value = metadata.get("general.alignment") ?? defaultAlignment;
  if (isAlignment(value)) return value;
  throw cursor.corrupt(
    `general.alignment is ${describeValue(value)}; expected a power of two from 8 to 65536`,
    offsets.get("general.alignment"),
  );
}

async function readTensorEntry(cursor: HeaderCursor): Promise<TensorEntry> {
  const name = await readName(cursor, "a tensor name");
  await cursor.need(4, `the shape of tensor "${name}"`);
  const shapeField = cursor.offset;
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > maxDimensions) {
    throw cursor.corrupt(
      `tensor "${name}" has ${dimensions} dimensions; expected 1 to ${maxDimensions}`,
      shapeField,
      { tensor: name },
    );
  }
  await cursor.need(dimensions * 8 + 4 + 8, `the entry of tensor "${name}"`);

  const shape: number[] = [];
  let elements = 1;
  for (let dimension = 0; dimension < dimensions; dimension += 1) {
    const at = cursor.offset;
    const size = cursor.u64();
    elements *= Number(size);
    // At most 2^50 elements, so that byte sizes in any format stay exact.
    if (size < 1 || elements > 2 ** 50) {
      throw cursor.corrupt(`tensor "${name}" has the impossible size ${size}`, at, { tensor: name });
    }
    shape.push(Number(size));
  }
  const typeId = cursor.u32();
  const offsetField = cursor.offset;
  const relativeOffset = Number(cursor.u64());
  return { name, shape, elements, typeId, relativeOffset, shapeField, offsetField };
}

/** Checks the tensors' offsets, and derives the length of tensors of unknown type. */
function placeTensors(
  cursor: HeaderCursor,
  source: ByteSource,
  entries: readonly TensorEntry[],
  dataOffset: number,
  alignment: number,
): ReadonlyMap<string, TensorInfo> {
  const fileSize = source.size;
  const inOrder = entries.toSorted((a, b) => a.relativeOffset - b.relativeOffset);
  const ends = new Map<TensorEntry, number>(
    inOrder.map((entry, index) => {
      const next = inOrder[index + 1];
      return [entry, next ? dataOffset + next.relativeOffset : fileSize];
    }),
  );

  const roomOf = (entry: TensorEntry): number =>
    Math.min(ends.get(entry) ?? fileSize, fileSize) - dataOffset - entry.relativeOffset;
  const formats = chooseFormats(entries, roomOf, alignment);

  const tensors = new Map<string, TensorInfo>();
  for (const entry of entries) {
    const { name, shape, elements, typeId, relativeOffset, shapeField, offsetField } = entry;
    const details = { tensor: name };
    if (tensors.has(name)) throw cursor.corrupt(`tensor "${name}" appears twice`, shapeField, details);
    if (relativeOffset % alignment !== 0) {
      const what = `tensor "${name}" begins at ${relativeOffset}, which is not a multiple of the alignment ${alignment}`;
      throw cursor.corrupt(what, offsetField, details);
    }
    const format = formats.get(typeId);
    const type = format?.name ?? undecodedTypeName(typeId);
    if (format && (shape[0] as number) % format.blockElements !== 0) {
      const what = `tensor "${name}" has rows of ${shape[0]}, and ${type} needs multiples of ${format.blockElements}`;
      throw cursor.corrupt(what, shapeField, details);
    }

    const offset = dataOffset + relativeOffset;
    const end = ends.get(entry) ?? fileSize;
    const room = roomOf(entry);
    // A type of unknown size holds at least one byte.
    const bytes = format?.tensorBytes(elements) ?? room;
    if (bytes > room || bytes < 1) {
      throw cursor.corrupt(whyNoRoom(entry, bytes, offset, end, fileSize), offsetField, details);
    }
    tensors.set(name, { name, shape, type, typeId, format, source, offset, bytes });
  }
  return tensors;
}

/**
 * The format of each type id in a file. Several formats may share an id. Then the first one counts that fits
 * every tensor of the id, with a gap smaller than the alignment before the next tensor. If none fits, the
 * standard format counts, and its checks report the error. There is no format if the id also belongs to a
 * type that is not decoded and no tensor fits.
 *
 * One answer per file, because a file has one writer. Small tensors fit more than one format with their
 * padding.
 */
function chooseFormats(
  entries: readonly TensorEntry[],
  roomOf: (entry: TensorEntry) => number,
  alignment: number,
): ReadonlyMap<number, WeightFormat> {
  const fits = (format: WeightFormat, entry: TensorEntry): boolean => {
    const left = roomOf(entry) - format.tensorBytes(entry.elements);
    return (entry.shape[0] as number) % format.blockElements === 0 && left >= 0 && left < alignment;
  };
  const chosen = new Map<number, WeightFormat>();
  for (const typeId of new Set(entries.map((entry) => entry.typeId))) {
    const formats = weightFormatsById(typeId);
    const contested = isContestedId(typeId);
    const sharing = formats.length > 1 || contested ? entries.filter((entry) => entry.typeId === typeId) : [];
    const fitting = formats.find((candidate) => sharing.every((entry) => fits(candidate, entry)));
    const standard = formats[0];
    // A file that is cut short still has whole tensors of the decoded format.
    const another = contested && standard && !sharing.some((entry) => fits(standard, entry));
    const format = fitting ?? (another ? undefined : standard);
    if (format) chosen.set(typeId, format);
  }
  return chosen;
}

function whyNoRoom(entry: TensorEntry, bytes: number, offset: number, end: number, fileSize: number): string {
  const { name } = entry;
  if (end <= fileSize && offset < fileSize && offset + bytes <= fileSize) {
    return `tensor "${name}" (bytes ${offset} to ${offset + Math.max(bytes, 1)}) overlaps the one at ${end}`;
  }
  const needs = bytes > 0 ? `ends at byte ${offset + bytes}` : `begins at byte ${offset}`;
  return `tensor "${name}" ${needs} and the file has ${fileSize}; is the download complete?`;
}

function describeValue(value: unknown): string {
  return typeof value === "number" || typeof value === "bigint" ? String(value) : `a ${typeof value}`;
}
