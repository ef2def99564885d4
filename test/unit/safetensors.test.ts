import { describe, expect, it } from "vitest";
import { BitNetError } from "#dist/index.js";
import { openSafetensors } from "#dist/files/safetensors.js";
import { openSafetensorsSet } from "#dist/files/safetensors-shards.js";
import { bytesSource, memoryFolder } from "#dist/platform/memory-source.js";
import {
  type RawTensor,
  safetensorsBytes,
  writeSafetensors,
  writeShards,
} from "../support/safetensors-bytes.js";

const entry = (dtype: string, shape: readonly number[], begin: number, end: number): string =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });
const two = `{"a":${entry("F32", [2], 0, 8)},"b":${entry("U8", [2, 4], 8, 16)}}`;

async function refusal(bytes: Uint8Array): Promise<BitNetError> {
  const error: unknown = await openSafetensors(bytesSource(bytes)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof BitNetError)) throw new Error(`expected a refusal, got ${String(error)}`);
  return error;
}

describe("openSafetensors", () => {
  it("finds tensors where they are", async () => {
    const data = Uint8Array.from({ length: 16 }, (_, index) => index);
    const { tensors } = await openSafetensors(bytesSource(safetensorsBytes(two, data)));
    expect([...tensors.keys()]).toEqual(["a", "b"]);
    const b = tensors.get("b") ?? expect.fail("no b");
    expect([b.dtype, b.shape, b.bytes]).toEqual(["U8", [2, 4], 8]);
    expect(await b.source.read(b.offset, b.bytes)).toEqual(data.subarray(8));
  });

  it("takes what the format allows: spaces, metadata, scalars, empty tensors, escapes, any order, names of prototypes", async () => {
    const header = ` {
      "b": {"data_offsets":[4,8],"shape":[],"dtype":"F32"} ,
      "__metadata__": {"format":"pt","__proto__":"x"},
      "__proto__": ${entry("I8", [4], 0, 4)}, "constructor": ${entry("F16", [0, 7], 8, 8)},
      "toString": ${entry("F4", [3, 2], 8, 11)}, "\\u0061\\n\\ud83d\\ude00": ${entry("BOOL", [1], 11, 12)} }  `;
    const { tensors } = await openSafetensors(
      bytesSource(safetensorsBytes(header.trimStart(), new Uint8Array(12))),
    );
    expect([...tensors.keys()].sort()).toEqual(["b", "__proto__", "constructor", "toString", "a\n😀"].sort());
    expect(tensors.get("__proto__")?.bytes).toBe(4);
  });

  it("opens a file without tensors", async () => {
    expect((await openSafetensors(bytesSource(safetensorsBytes("{}")))).tensors.size).toBe(0);
  });

  const data = new Uint8Array(16);
  const a = (rest: string): Uint8Array => safetensorsBytes(`{"a":${rest}}`, data);
  const badUtf8 = Uint8Array.from([...'{"\xff":1}'].map((letter) => letter.charCodeAt(0)));
  // [name, file, offset of the error, words of the message]
  it.each<[string, Uint8Array, number, RegExp]>([
    ["an empty file", new Uint8Array(0), 0, /has 0 bytes/],
    ["half a length", new Uint8Array(7), 0, /has 7 bytes/],
    ["a header longer than the file", safetensorsBytes("{}", data, 100n), 0, /should have 100 bytes/],
    ["a header of 2^63 bytes", safetensorsBytes("{}", data, 2n ** 63n), 0, /download/],
    ["a header of no bytes", safetensorsBytes("", data), 0, /header of 0 bytes/],
    ["a header that is no object", safetensorsBytes("[]"), 8, /begin with \{/],
    ["a header that ends early", safetensorsBytes('{"a":'), 13, /the end/],
    ["a header with something after it", safetensorsBytes("{} x"), 11, /followed by/],
    ["a trailing comma", safetensorsBytes('{"__metadata__":{},}'), 27, /key of the header/],
    ["a comment", safetensorsBytes("{/**/}"), 9, /key of the header/],
    ["a key twice", safetensorsBytes(two.replace('"b"', '"a"'), data), 62, /"a" twice/],
    ["a key twice, spelt differently", safetensorsBytes(two.replace('"b"', '"\\u0061"'), data), 62, /twice/],
    ["a field twice", a('{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}'), 28, /twice/],
    ["a name that is not UTF-8", safetensorsBytes(badUtf8), 10, /UTF-8/],
    ["a control character", safetensorsBytes('{"a\n":1}'), 11, /control/],
    ["half a surrogate pair", safetensorsBytes('{"\\ud800":1}'), 10, /surrogate/],
    ["an unknown escape", safetensorsBytes('{"\\x41":1}'), 10, /escape/],
    ["an empty name", safetensorsBytes('{"":1}'), 9, /empty/],
    ["metadata that is no text", safetensorsBytes('{"__metadata__":{"a":1}}'), 29, /string/],
    ["a tensor that is no object", a("7"), 13, /object/],
    ["an unknown field", a('{"strides":[1]}'), 14, /"strides"/],
    ["a missing field", a('{"dtype":"F32","shape":[4]}'), 9, /has no dtype/],
    ["half a range", a('{"dtype":"F32","shape":[4],"data_offsets":[0]}'), 9, /has no dtype/],
    ["a range of three", a('{"dtype":"F32","shape":[4],"data_offsets":[0,16,32]}'), 61, /more than 2/],
    ["an unknown dtype", a(entry("F99", [4], 0, 16)), 9, /"F99"/],
    ["a dtype named like a prototype", a(entry("constructor", [4], 0, 16)), 9, /"constructor"/],
    ["a negative size", a(entry("F32", [-4], 0, 16)), 37, /whole number/],
    ["a size with a fraction", a(entry("F32", [4.5], 0, 16)), 37, /whole number/],
    ["a size in exponents", a('{"dtype":"F32","shape":[4e0],"data_offsets":[0,16]}'), 37, /whole number/],
    ["a size beyond 2^53", a('{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,16]}'), 36, /whole/],
    ["a number without end", a(`{"dtype":"U8","shape":[${"9".repeat(5000)}]}`), 36, /whole number/],
    ["too many dimensions", a(entry("U8", [1, 1, 1, 1, 1, 1, 1, 1, 16], 0, 16)), 52, /more than 8/],
    ["elements beyond counting", a(entry("U8", [2 ** 40, 2 ** 40], 0, 16)), 9, /impossible shape/],
    ["a range that ends before it begins", a(entry("F32", [4], 16, 0)), 9, /before it begins/],
    ["a range of another length", a(entry("F32", [3], 0, 16)), 9, /takes 12/],
    ["an odd number of half bytes", a(entry("F4", [3], 0, 1)), 9, /takes 1\.5/],
    ["an overlap", safetensorsBytes(two.replace("[8,16]", "[4,12]"), new Uint8Array(12)), 62, /overlaps/],
    ["a hole", safetensorsBytes(two.replace("[8,16]", "[9,17]"), new Uint8Array(17)), 62, /gap of 1/],
    ["a hole at the start", a(entry("F32", [2], 8, 16)), 9, /gap of 8/],
    ["bytes after the last tensor", a(entry("F32", [2], 0, 8)), 70, /last 8 bytes/],
    ["a range past the end", safetensorsBytes(two, new Uint8Array(15)), 62, /download/],
  ])("refuses %s", async (_, bytes, offset, words) => {
    const error = await refusal(bytes);
    expect([error.code, error.details.offset]).toEqual(["FILE_CORRUPT", offset]);
    expect(error.message).toMatch(words);
    expect(error.message).toContain(`byte ${offset}`);
  });

  it("refuses a header above its limit before it reads it", async () => {
    const read: number[] = [];
    const source = {
      ...bytesSource(new Uint8Array(8)),
      size: 2 ** 40,
      async read(_: number, length: number) {
        read.push(length);
        return new Uint8Array(new BigUint64Array([100_000_001n]).buffer);
      },
    };
    await expect(openSafetensors(source)).rejects.toMatchObject({ code: "FILE_CORRUPT" });
    expect(read).toEqual([8]);
  });

  it("stops by its signal", async () => {
    const reason = new Error("enough");
    const options = { signal: AbortSignal.abort(reason) };
    await expect(openSafetensors(bytesSource(safetensorsBytes("{}")), options)).rejects.toBe(reason);
  });
});

describe("openSafetensorsSet", () => {
  const tensors = new Map<string, RawTensor>(
    ["x", "y", "z", "__proto__"].map((name, index) => [
      name,
      { dtype: "U8", shape: [3], data: Uint8Array.of(index, index, index) },
    ]),
  );
  const shard = "model-00001-of-00002.safetensors";
  const other = "model-00002-of-00002.safetensors";
  const indexName = "model.safetensors.index.json";

  async function open(
    files: ReadonlyMap<string, Uint8Array>,
  ): Promise<readonly (readonly [string, number])[]> {
    const set = await openSafetensorsSet(memoryFolder(files));
    return Promise.all(
      Array.from(set.tensors.values(), async (tensor) => {
        const [first = -1] = await tensor.source.read(tensor.offset, tensor.bytes);
        return [tensor.name, first] as const;
      }),
    );
  }
  function withIndex(change: (map: Record<string, string>) => unknown): Map<string, Uint8Array> {
    const files = writeShards(tensors, 2);
    const index = JSON.parse(new TextDecoder().decode(files.get(indexName))) as {
      weight_map: Record<string, string>;
    };
    const changed = change(index.weight_map) ?? index;
    files.set(
      indexName,
      new TextEncoder().encode(typeof changed === "string" ? changed : JSON.stringify(changed)),
    );
    return files;
  }

  it("finds the same tensors in one file and in shards", async () => {
    const expected = [
      ["__proto__", 3],
      ["x", 0],
      ["y", 1],
      ["z", 2],
    ];
    const inOrder = (found: readonly (readonly [string, number])[]): unknown =>
      found.toSorted(([a], [b]) => (a < b ? -1 : 1));
    expect(inOrder(await open(new Map([["model.safetensors", writeSafetensors(tensors)]])))).toEqual(
      expected,
    );
    for (const perShard of [1, 2, 3, 4]) {
      expect(inOrder(await open(writeShards(tensors, perShard)))).toEqual(expected);
    }
  });

  it("prefers the single file, as transformers does", async () => {
    const files = new Map([
      ["model.safetensors", writeSafetensors(new Map([...tensors].slice(0, 1)))],
      [indexName, new TextEncoder().encode("nonsense")],
    ]);
    expect(await open(files)).toEqual([["x", 0]]);
  });

  it.each<[string, string, RegExp, () => Map<string, Uint8Array>]>([
    ["a folder without weights", "FILE_NOT_FOUND", /has no model\.safetensors/, () => new Map()],
    [
      "a folder of PyTorch weights",
      "FILE_NOT_FOUND",
      /PyTorch/,
      () => new Map([["pytorch_model.bin", new Uint8Array(1)]]),
    ],
    ["a folder of GGUF files", "FILE_NOT_FOUND", /GGUF/, () => new Map([["a.gguf", new Uint8Array(1)]])],
    [
      "shards without an index",
      "FILE_NOT_FOUND",
      /order is unknown/,
      () => new Map([[shard, new Uint8Array(1)]]),
    ],
    [
      "a missing shard",
      "FILE_NOT_FOUND",
      /1 of 2 shards .*00002-of-00002/,
      () => {
        const files = writeShards(tensors, 2);
        files.delete(other);
        return files;
      },
    ],
    [
      "a tensor in another shard than the index says",
      "FILE_CORRUPT",
      /lists in/,
      () => withIndex((map) => void (map.x = other)),
    ],
    [
      "a tensor that no shard has",
      "FILE_CORRUPT",
      /no tensor "ghost"/,
      () => withIndex((map) => void (map.ghost = other)),
    ],
    [
      "a tensor that the index does not list",
      "FILE_CORRUPT",
      /does not list/,
      () =>
        withIndex((map) => {
          delete map.y;
        }),
    ],
    ["an index without a map", "FILE_CORRUPT", /no weight_map/, () => withIndex(() => ({ metadata: {} }))],
    ["an empty map", "FILE_CORRUPT", /no weight_map/, () => withIndex(() => ({ weight_map: {} }))],
    ["a map that is a list", "FILE_CORRUPT", /an object/, () => withIndex(() => ({ weight_map: [] }))],
    ["a shard that is no text", "FILE_CORRUPT", /string/, () => withIndex(() => ({ weight_map: { x: 1 } }))],
    ["an index that is no JSON", "FILE_CORRUPT", /expected/, () => withIndex(() => "<html>")],
    [
      "a tensor listed twice",
      "FILE_CORRUPT",
      /twice/,
      () => withIndex(() => `{"weight_map":{"x":"${shard}","x":"${other}"}}`),
    ],
    [
      "metadata without end",
      "FILE_CORRUPT",
      /32 deep/,
      () => withIndex(() => `{"metadata":${"[".repeat(100_000)}`),
    ],
  ])("refuses %s", async (_, code, words, files) => {
    await expect(open(files())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words) as string,
    });
  });

  it.each([
    "../model.safetensors",
    "..\\model.safetensors",
    "/etc/model.safetensors",
    "C:model.safetensors",
    "a/../b.safetensors",
    "sub/model.safetensors",
    ".hidden.safetensors",
    "..safetensors",
    "model..safetensors",
    "model.bin",
    "model.safetensors\0",
    "",
    `${"a".repeat(300)}.safetensors`,
  ])("refuses an index that names the file %j", async (name) => {
    const files = withIndex((map) => void (map.x = name));
    files.set(name, writeSafetensors(new Map([...tensors].slice(0, 1))));
    const error: unknown = await open(files).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "FILE_CORRUPT", details: { offset: expect.any(Number) as number } });
  });
});
