import { readFileSync, readdirSync } from "node:fs";
import { gguf as oracle } from "@huggingface/gguf";
import { describe, expect, it } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import type { ModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { openFileSource } from "#dist/platform/node.js";
import { weightFormatById } from "#dist/weight-formats/index.js";
import {
  arrayOf,
  entry,
  f32,
  ggufBytes,
  join,
  tensor,
  text,
  u32,
  u64,
  type FileParts,
} from "../support/gguf-bytes.js";
import { goldenAvailable, goldenPath, starterPath } from "../support/golden-path.js";

const open = (parts: FileParts): Promise<ModelFile> => openGguf(bytesSource(ggufBytes(parts), "test.gguf"));

const modelPaths = [
  starterPath,
  ...(goldenAvailable
    ? readdirSync(goldenPath("."))
        .filter((name) => name.startsWith("tiny-"))
        .map((name) => goldenPath(`${name}/model.gguf`))
    : []),
];

describe("openGguf against @huggingface/gguf", () => {
  it.each(modelPaths)("reads the same metadata and tensors from %s", async (path) => {
    const source = await openFileSource(path);
    const file = await openGguf(source);
    await source.close();
    const expected = await oracle(path, { allowLocalFile: true });

    const { version, tensor_count, kv_count, ...expectedMetadata } = expected.metadata;
    expect(file.version).toBe(version);
    expect(file.tensors.size).toBe(Number(tensor_count));
    expect(file.metadata.size).toBe(Number(kv_count));
    const metadata = Object.fromEntries(
      Array.from(file.metadata, ([key, value]) => [
        key,
        ArrayBuffer.isView(value) ? Array.from(value as Iterable<unknown>) : value,
      ]),
    );
    expect(metadata).toEqual(expectedMetadata);
    expect(
      Array.from(file.tensors.values(), ({ name, shape, typeId, offset }) => ({
        name,
        shape,
        typeId,
        offset,
      })),
    ).toEqual(
      expected.tensorInfos.map(({ name, shape, dtype, offset }) => ({
        name,
        shape: shape.map(Number),
        typeId: dtype,
        offset: Number(offset) + Number(expected.tensorDataOffset),
      })),
    );
  });

  it.each(modelPaths)("finds tensors of known types back to back up to the end of %s", async (path) => {
    const bytes = readFileSync(path);
    const file = await openGguf(bytesSource(bytes));
    let end: number | undefined;
    for (const info of file.tensors.values()) {
      if (end !== undefined) expect(info.offset).toBe(end);
      expect(info.format).toBe(weightFormatById(info.typeId));
      end = info.offset + Math.ceil(info.bytes / 32) * 32;
    }
    expect(end).toBe(bytes.length);
  });
});

describe("openGguf", () => {
  it("reads every metadata type, in versions 2 and 3", async () => {
    const keys = [
      entry("u8", 0, [200]),
      entry("i8", 1, [200]),
      entry("u16", 2, [1, 2]),
      entry("i16", 3, [0xff, 0xff]),
      entry("u32", 4, u32(4e9)),
      entry("i32", 5, u32(0xffffffff)),
      entry("f32", 6, f32(0.1)),
      entry("yes", 7, [1]),
      entry("no", 7, [0]),
      entry("text", 8, text("Grüße, 世界 🦊")),
      entry("u64", 10, u64(2 ** 53 - 1)),
      entry("u64 big", 10, u64(2n ** 64n - 1n)),
      entry("i64", 11, u64(-5)),
      entry("i64 big", 11, u64(-(2n ** 63n))),
      entry("f64", 12, new Uint8Array(Float64Array.of(Math.PI).buffer)),
      entry("numbers", 9, arrayOf(5, 3, [u32(1), u32(-1 >>> 0), u32(3)])),
      entry("strings", 9, arrayOf(8, 4, [text("a"), text(""), text("\u{feff}🦊é"), text("d")])),
      entry("booleans", 9, arrayOf(7, 2, [0, 1])),
      entry("integers", 9, arrayOf(11, 2, [u64(1), u64(-1)])),
      entry("nested", 9, arrayOf(9, 2, [arrayOf(0, 2, [1, 2]), arrayOf(8, 1, [text("x")])])),
      entry("none", 9, arrayOf(8, 0, [])),
      entry("__proto__", 4, u32(1)),
    ];
    for (const version of [2, 3]) {
      const { metadata, metadataTypes, version: read } = await open({ version, keys });
      expect(read).toBe(version);
      expect(Object.fromEntries([...metadata].filter(([key]) => key !== "__proto__"))).toEqual({
        u8: 200,
        i8: -56,
        u16: 513,
        i16: -1,
        u32: 4e9,
        i32: -1,
        f32: Math.fround(0.1),
        yes: true,
        no: false,
        text: "Grüße, 世界 🦊",
        u64: 2 ** 53 - 1,
        "u64 big": 2n ** 64n - 1n,
        i64: -5,
        "i64 big": -(2n ** 63n),
        f64: Math.PI,
        numbers: Int32Array.of(1, -1, 3),
        strings: ["a", "", "\u{feff}🦊é", "d"],
        booleans: [false, true],
        integers: [1n, -1n],
        nested: [Uint8Array.of(1, 2), ["x"]],
        none: [],
      });
      expect(metadata.get("__proto__")).toBe(1);
      expect([...metadataTypes.keys()]).toEqual([...metadata.keys()]);
      expect(["u8", "text", "numbers", "strings", "nested"].map((key) => metadataTypes.get(key))).toEqual([
        "uint8",
        "string",
        "int32[]",
        "string[]",
        "array[]",
      ]);
    }
  });

  it("reads strings longer than a batch and longer than a window", async () => {
    const long = "é".repeat(50_000) + "🦊";
    const longest = "x".repeat(1_500_000);
    const words = ["a", long, "b", longest, "c", long];
    const keys = [
      entry(
        "words",
        9,
        arrayOf(
          8,
          words.length,
          words.map((word) => text(word)),
        ),
      ),
    ];
    expect((await open({ keys })).metadata.get("words")).toEqual(words);
  });

  it("reads text that is not UTF-8 with U+FFFD, each string by itself", async () => {
    const raw = [
      [0x61, 0xff],
      [0xe2, 0x82],
      [0xac, 0x62],
      [0xc3, 0xa9],
    ].map((bytes) => Uint8Array.from(bytes));
    const keys = [
      entry(
        "words",
        9,
        arrayOf(
          8,
          raw.length,
          raw.map((bytes) => text(bytes)),
        ),
      ),
    ];
    // The second and third would be a euro sign if they were joined.
    expect((await open({ keys })).metadata.get("words")).toEqual(["a\ufffd", "\ufffd", "\ufffdb", "é"]);
  });

  it("places tensors by the alignment that the file sets", async () => {
    const file = await open({
      alignment: 128,
      keys: [entry("general.alignment", 4, u32(128))],
      tensors: [tensor("b", [4], 0, 128), tensor("a", [3, 2], 0, 0), tensor("c", [5], 99, 256)],
      dataBytes: 300,
    });
    const start = Math.ceil(join([ggufBytes({})]).length / 128) * 128;
    expect([...file.tensors.keys()]).toEqual(["b", "a", "c"]);
    const { offset } = file.tensors.get("a") ?? { offset: NaN };
    expect(offset % 128).toBe(0);
    expect(offset).toBeGreaterThanOrEqual(start);
    expect(file.tensors.get("a")).toMatchObject({ bytes: 24, type: "F32", shape: [3, 2] });
    expect(file.tensors.get("b")).toMatchObject({ bytes: 16, offset: offset + 128 });
    // Type 99 is unknown. Only the next tensor or the end of the file shows its size.
    expect(file.tensors.get("c")).toMatchObject({ bytes: 44, type: "type 99", format: undefined });
  });

  describe("types that share id 42", () => {
    // 18 bytes for 64 elements, or 34 for 128.
    const elements = 128 * 256;
    const sizes = { Q2_0: (elements / 64) * 18, Q2_0_G128: (elements / 128) * 34 };
    const padded = (bytes: number): number => Math.ceil(bytes / 32) * 32;

    it.each(["Q2_0", "Q2_0_G128"] as const)("are distinguished by the size of tensors: %s", async (name) => {
      const bytes = sizes[name];
      const tensors = [tensor("a", [128, 256], 42, 0), tensor("b", [128, 256], 42, padded(bytes))];
      for (const end of [bytes, padded(bytes)]) {
        const file = await open({ tensors, dataBytes: padded(bytes) + end });
        expect(file.tensors.get("a")).toMatchObject({ type: name, typeId: 42, bytes, format: { name } });
        expect(file.tensors.get("b")).toMatchObject({ type: name, bytes });
      }
    });

    it("depend on the whole file if a tensor with its padding fits both", async () => {
      // One row: 36 bytes or 34. Both are padded to 64.
      const small = tensor("small", [128], 42, 0);
      const { Q2_0, Q2_0_G128 } = sizes;
      for (const [bytes, type, smallBytes] of [
        [Q2_0, "Q2_0", 36],
        [Q2_0_G128, "Q2_0_G128", 34],
      ] as const) {
        const file = await open({ tensors: [small, tensor("a", [128, 256], 42, 64)], dataBytes: 64 + bytes });
        expect(file.tensors.get("small")).toMatchObject({ type, bytes: smallBytes });
      }
      expect((await open({ tensors: [small], dataBytes: 64 })).tensors.get("small")?.type).toBe("Q2_0");
    });

    it("are Q2_0 with rows of 64, and in a file that is cut short", async () => {
      const odd = await open({ tensors: [tensor("a", [64, 3], 42, 0)], dataBytes: 54 });
      expect(odd.tensors.get("a")).toMatchObject({ type: "Q2_0", bytes: 54 });
      const tensors = [tensor("a", [128, 256], 42, 0), tensor("b", [128, 256], 42, padded(sizes.Q2_0))];
      // Enough for the fork's blocks, but then "a" would not fill its range.
      const dataBytes = padded(sizes.Q2_0) + sizes.Q2_0_G128;
      await expect(open({ tensors, dataBytes })).rejects.toMatchObject({
        code: "FILE_CORRUPT",
        message: expect.stringMatching(/"b" ends at byte .* download complete/),
      });
    });
  });

  it("reads id 39 as MXFP4 if a tensor has that size, and else as TL2", async () => {
    const bytes = (128 * 256 * 17) / 32;
    const tensors = [tensor("a", [128, 256], 39, 0), tensor("b", [128, 256], 39, bytes)];
    const file = await open({ tensors, dataBytes: 2 * bytes });
    expect(file.tensors.get("b")).toMatchObject({ type: "MXFP4", bytes, format: { name: "MXFP4" } });
    await expect(open({ tensors, dataBytes: 2 * bytes - 64 })).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      message: expect.stringMatching(/"b" ends at byte .* download complete/),
    });
    const smaller = [tensor("a", [128, 256], 39, 0), tensor("b", [128, 256], 39, bytes / 2)];
    const other = await open({ tensors: smaller, dataBytes: bytes });
    expect(other.tensors.get("a")).toMatchObject({ type: "TL2", bytes: bytes / 2, format: undefined });
  });

  it("stops for a signal with its reason", async () => {
    const reason = new Error("enough");
    const source = bytesSource(ggufBytes());
    await expect(openGguf(source, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

const gibibyte = 2 ** 30;
const ok = tensor("t", [4], 0, 0);

const corruptFiles: readonly (readonly [string, FileParts, RegExp])[] = [
  ["no magic", { magic: "GGUX" }, /GGUF/],
  ["version 0", { version: 0 }, /version 0/],
  ["more tensors than bytes", { tensorCount: 1e6 }, /1000000 tensors do not fit/],
  ["2^64 - 1 tensors", { tensorCount: -1 }, /18446744073709551615 tensors/],
  ["2^64 - 1 keys", { keyCount: -1 }, /metadata keys/],
  ["a key that is missing", { keyCount: 1, tensors: [ok], dataBytes: 64 }, /./],
  ["a metadata type that does not exist", { keys: [entry("k", 13, [0, 0, 0, 0])] }, /metadata type 13/],
  ["an element type that does not exist", { keys: [entry("k", 9, arrayOf(13, 1, [0]))] }, /metadata type 13/],
  ["a huge string", { keys: [entry("k", 8, u64(gibibyte))] }, /1073741824 bytes .* do not fit/],
  ["a huge key", { keys: [[u64(gibibyte), new Uint8Array(20)]] }, /do not fit/],
  ["a huge array of numbers", { keys: [entry("k", 9, arrayOf(0, 2n ** 62n, []))] }, /do not fit/],
  ["a huge array of strings", { keys: [entry("k", 9, arrayOf(8, gibibyte, []))] }, /do not fit/],
  ["a huge array of booleans", { keys: [entry("k", 9, arrayOf(7, gibibyte, []))] }, /do not fit/],
  ["a huge array of arrays", { keys: [entry("k", 9, arrayOf(9, gibibyte, []))] }, /do not fit/],
  ["a boolean of 2", { keys: [entry("k", 7, [2])] }, /boolean/],
  ["a key twice", { keys: [entry("k", 0, [1]), entry("k", 0, [1])] }, /twice/],
  ["an empty key", { keys: [entry("", 0, [1])] }, /empty/],
  ["a key that is not UTF-8", { keys: [entry(Uint8Array.of(0xff), 0, [1])] }, /UTF-8/],
  ["an alignment of 0", { keys: [entry("general.alignment", 4, u32(0))] }, /alignment is 0/],
  ["an alignment of 48", { keys: [entry("general.alignment", 4, u32(48))] }, /alignment is 48/],
  ["a huge alignment", { keys: [entry("general.alignment", 4, u32(2 ** 31))] }, /alignment/],
  ["an alignment in words", { keys: [entry("general.alignment", 8, text("32"))] }, /alignment is a string/],
  ["a tensor without dimensions", { tensors: [tensor("t", [], 0, 0)], dataBytes: 64 }, /0 dimensions/],
  [
    "a tensor of 5 dimensions",
    { tensors: [tensor("t", [1, 1, 1, 1, 1], 0, 0)], dataBytes: 64 },
    /5 dimensions/,
  ],
  ["2^32 - 1 dimensions", { tensors: [[text("t"), u32(2 ** 32 - 1), u64(1), u32(0), u64(0)]] }, /dimensions/],
  ["a size of 0", { tensors: [tensor("t", [4, 0], 0, 0)], dataBytes: 64 }, /impossible size 0/],
  ["a size of 2^64 - 1", { tensors: [tensor("t", [-1], 0, 0)], dataBytes: 64 }, /impossible size/],
  [
    "a product over 2^64",
    { tensors: [tensor("t", [2 ** 33, 2 ** 33], 0, 0)], dataBytes: 64 },
    /impossible size/,
  ],
  ["an offset beyond the file", { tensors: [tensor("t", [4], 0, 1 << 20)], dataBytes: 64 }, /ends at byte/],
  ["an offset of 2^64 - 32", { tensors: [tensor("t", [4], 0, -32)], dataBytes: 64 }, /ends at byte/],
  ["a tensor past the end", { tensors: [tensor("t", [17], 0, 0)], dataBytes: 64 }, /download complete/],
  ["an unknown type past the end", { tensors: [tensor("t", [4], 99, 64)], dataBytes: 64 }, /begins at byte/],
  ["a misaligned tensor", { tensors: [tensor("t", [4], 0, 4)], dataBytes: 64 }, /multiple of the alignment/],
  [
    "overlapping tensors",
    { tensors: [tensor("t", [16], 0, 0), tensor("u", [4], 0, 32)], dataBytes: 64 },
    /"t" .* overlaps/,
  ],
  [
    "tensors at one offset",
    { tensors: [tensor("t", [4], 99, 0), tensor("u", [4], 99, 0)], dataBytes: 64 },
    /overlaps/,
  ],
  ["a tensor twice", { tensors: [ok, tensor("t", [4], 0, 32)], dataBytes: 64 }, /twice/],
  ["a tensor without a name", { tensors: [tensor("", [4], 0, 0)], dataBytes: 64 }, /empty/],
  ["TQ1_0 rows of 128", { tensors: [tensor("t", [128, 2], 34, 0)], dataBytes: 64 }, /multiples of 256/],
  ["Q2_0 rows of 32", { tensors: [tensor("t", [32, 4], 42, 0)], dataBytes: 64 }, /multiples of 64/],
  ["I2_S rows of 64", { tensors: [tensor("t", [64, 2], 36, 0)], dataBytes: 64 }, /multiples of 128/],
  ["a missing tensor entry", { tensorCount: 2, tensors: [ok], dataBytes: 0 }, /./],
];

describe("openGguf rejects", () => {
  it.each(corruptFiles)("%s", async (_, parts, message) => {
    const size = ggufBytes(parts).length;
    await expect(open(parts)).rejects.toMatchObject({
      name: "BitNetError",
      code: "FILE_CORRUPT",
      message: expect.stringMatching(message),
      details: { offset: expect.any(Number) },
    });
    const { details } = (await open(parts).catch((error: unknown) => error)) as {
      details: { offset: number };
    };
    expect(details.offset).toBeGreaterThanOrEqual(0);
    expect(details.offset).toBeLessThanOrEqual(size);
  });

  it.each([
    ["version 1", { version: 1 }, /version 1/],
    ["a version to come", { version: 4 }, /version 4/],
    ["big-endian files", { version: 0x03000000 }, /big-endian/],
  ] as const)("%s as unsupported", async (_, parts, message) => {
    await expect(open(parts)).rejects.toMatchObject({
      code: "UNSUPPORTED_FILE",
      message: expect.stringMatching(message),
    });
  });

  it("arrays nested more than 4 deep", async () => {
    let value = arrayOf(0, 1, [1]);
    for (let depth = 1; depth < 4; depth += 1) value = arrayOf(9, 1, value);
    expect((await open({ keys: [entry("k", 9, value)] })).metadata.get("k")).toEqual([[[Uint8Array.of(1)]]]);
    await expect(open({ keys: [entry("k", 9, arrayOf(9, 1, value))] })).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      message: expect.stringContaining("deep"),
    });
  });

  it("a file cut anywhere in its header, quickly", async () => {
    const whole = ggufBytes({
      keys: [entry("k", 8, text("value")), entry("a", 9, arrayOf(8, 2, [text("x"), text("yz")]))],
      tensors: [tensor("t", [16], 0, 0)],
      dataBytes: 64,
    });
    await openGguf(bytesSource(whole));
    for (let length = 0; length < whole.length; length += 1) {
      await expect(openGguf(bytesSource(whole.subarray(0, length)))).rejects.toMatchObject({
        code: "FILE_CORRUPT",
      });
    }
  });

  it("counts that a huge sparse file could hold, without allocating by them", async () => {
    // A source that claims 100 TB. It reads as zeros after the header.
    const sparse = (parts: FileParts): Promise<ModelFile> => {
      const bytes = ggufBytes(parts);
      return openGguf({
        ...bytesSource(bytes),
        size: 1e14,
        async readInto(offset, target) {
          target.fill(0);
          if (offset < bytes.length) target.set(bytes.subarray(offset, offset + target.length));
        },
      });
    };
    for (const parts of [
      { tensorCount: 1e12 },
      { keyCount: 1e12 },
      { keys: [entry("k", 9, arrayOf(0, 1e12, []))] },
      { keys: [entry("k", 9, arrayOf(8, 1e12, []))] },
      { keys: [entry("k", 9, arrayOf(9, 1e12, []))] },
      { keys: [entry("k", 9, arrayOf(12, 1e8, []))] },
      { keys: [entry("k", 8, u64(1e12))] },
      { keys: [[u64(1e12)]] },
    ]) {
      await expect(sparse(parts)).rejects.toMatchObject({ code: "FILE_CORRUPT" });
    }
  });
});
