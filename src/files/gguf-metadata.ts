import { arrayTypeId, limits, numberTypes, scalarTypeName, type NumberType } from "./gguf-format.js";
import type { HeaderCursor } from "./header-cursor.js";
import type { MetadataArray, MetadataType, MetadataValue } from "./model-file.js";
import { decodeStrictly } from "./string-batch.js";

/** The shortest metadata entry: a key of one byte, a type and a value of one byte. */
export const minEntryBytes: number = 8 + 1 + 4 + 1;
const bigintBytes = 8;

export interface MetadataMaps {
  readonly metadata: Map<string, MetadataValue>;
  readonly metadataTypes: Map<string, MetadataType>;
  /** Offset of each entry's type and value in the file, for messages. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** How much of the limits on a whole file the arrays have used so far. */
interface ArrayBudget {
  values: number;
  arrays: number;
}

/** Reads `count` entries. The caller has checked that the file can hold so many. */
export async function readMetadata(cursor: HeaderCursor, count: number): Promise<MetadataMaps> {
  const metadata = new Map<string, MetadataValue>();
  const metadataTypes = new Map<string, MetadataType>();
  const offsets = new Map<string, number>();
  const budget: ArrayBudget = { values: limits.arrayValues, arrays: limits.arrays };

  for (let index = 0; index < count; index += 1) {
    const keyOffset = cursor.offset;
    const key = await readName(cursor, "a metadata key");
    if (metadata.has(key)) throw cursor.corrupt(`metadata key "${key}" appears twice`, keyOffset, { key });

    const typeOffset = cursor.offset;
    offsets.set(key, typeOffset);
    const what = `the value of "${key}"`;
    await cursor.need(4, `the type of "${key}"`);
    const typeId = cursor.u32();
    if (typeId === arrayTypeId) {
      const { value, type } = await readArray(cursor, what, 1, budget);
      metadata.set(key, value);
      metadataTypes.set(key, type);
      continue;
    }
    const type = scalarTypeName(typeId);
    if (type === undefined) {
      throw cursor.corrupt(`"${key}" has metadata type ${typeId}, which does not exist`, typeOffset, { key });
    }
    metadata.set(key, await readScalar(cursor, typeId, what));
    metadataTypes.set(key, type);
  }
  return { metadata, metadataTypes, offsets };
}

/**
 * Reads a metadata key or a tensor name: UTF-8, not empty. Malformed ones are refused, unlike text values:
 * keys and names are compared, and two different ones must stay different.
 */
export async function readName(cursor: HeaderCursor, what: string): Promise<string> {
  const offset = cursor.offset;
  const bytes = await cursor.stringBytes(limits.keyBytes, what);
  if (bytes.length === 0) throw cursor.corrupt(`${what} is empty`, offset);
  const name = decodeStrictly(bytes);
  if (name === undefined) throw cursor.corrupt(`${what} is not UTF-8`, offset);
  return name;
}

async function readScalar(cursor: HeaderCursor, typeId: number, what: string): Promise<MetadataValue> {
  const numberType = numberTypes.get(typeId);
  if (numberType) return (await readNumbers(cursor, numberType, 1, what))[0] as number;

  const type = scalarTypeName(typeId);
  if (type === "string") return (await cursor.strings(1, limits.stringBytes, what))[0] as string;
  if (type === "bool") return (await readBooleans(cursor, 1, what))[0] as boolean;
  await cursor.need(bigintBytes, what);
  return type === "uint64" ? cursor.u64() : cursor.i64();
}

async function readArray(
  cursor: HeaderCursor,
  what: string,
  depth: number,
  budget: ArrayBudget,
): Promise<{ value: MetadataArray; type: MetadataType }> {
  const offset = cursor.offset;
  budget.arrays -= 1;
  if (budget.arrays < 0) throw cursor.corrupt(`more than ${limits.arrays} metadata arrays`, offset);
  if (depth > limits.nesting) {
    throw cursor.corrupt(`${what} nests arrays more than ${limits.nesting} deep`, offset);
  }
  await cursor.need(4, `the element type of ${what}`);
  const typeId = cursor.u32();

  const numberType = numberTypes.get(typeId);
  if (numberType) {
    const count = await cursor.count(`elements of ${what}`, numberType.bytes, limits.headerBytes);
    return { value: await readNumbers(cursor, numberType, count, what), type: `${numberType.name}[]` };
  }
  if (typeId === arrayTypeId) {
    return { value: await readNestedArrays(cursor, what, depth, budget), type: "array[]" };
  }
  const type = scalarTypeName(typeId);
  if (type === undefined) {
    throw cursor.corrupt(`${what} has elements of metadata type ${typeId}, which does not exist`, offset);
  }
  const minBytes = type === "bool" ? 1 : bigintBytes;
  const count = await cursor.count(`elements of ${what}`, minBytes, Math.max(budget.values, 0));
  budget.values -= count;
  return { value: await readValues(cursor, type, count, what), type: `${type}[]` };
}

async function readNestedArrays(
  cursor: HeaderCursor,
  what: string,
  depth: number,
  budget: ArrayBudget,
): Promise<readonly MetadataArray[]> {
  const minBytes = 4 + 8;
  const count = await cursor.count(`arrays in ${what}`, minBytes, Math.max(budget.arrays, 0));
  const arrays: MetadataArray[] = [];
  while (arrays.length < count) arrays.push((await readArray(cursor, what, depth + 1, budget)).value);
  return arrays;
}

async function readValues(
  cursor: HeaderCursor,
  type: string,
  count: number,
  what: string,
): Promise<MetadataArray> {
  if (type === "string") return cursor.strings(count, limits.stringBytes, what);
  if (type === "bool") return readBooleans(cursor, count, what);
  cursor.require(count * bigintBytes, what);
  const integers = type === "uint64" ? new BigUint64Array(count) : new BigInt64Array(count);
  await cursor.copyInto(new Uint8Array(integers.buffer));
  return Array.from<bigint>(integers);
}

async function readNumbers(
  cursor: HeaderCursor,
  type: NumberType,
  count: number,
  what: string,
): Promise<InstanceType<NumberType["array"]>> {
  cursor.require(count * type.bytes, what);
  // GGUF and every host of WebAssembly are little-endian, so the bytes are the array.
  const numbers = new type.array(count);
  await cursor.copyInto(new Uint8Array(numbers.buffer));
  return numbers;
}

async function readBooleans(cursor: HeaderCursor, count: number, what: string): Promise<boolean[]> {
  const offset = cursor.offset;
  cursor.require(count, what);
  const bytes = new Uint8Array(count);
  await cursor.copyInto(bytes);
  return Array.from(bytes, (byte, index) => {
    if (byte > 1) throw cursor.corrupt(`${what} is ${byte} where a boolean is 0 or 1`, offset + index);
    return byte === 1;
  });
}
