import { closeSync } from "node:fs";
import { mkdtemp, open, readdir, readFile, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ByteSource } from "#dist/platform/byte-source.js";
import { blobSource, bytesSource } from "#dist/platform/memory-source.js";
import { availableParallelism, freeMemoryBytes, openFileSource } from "#dist/platform/node.js";
import { createFileSink } from "#dist/platform/node-file-sink.js";

/** More than two pieces of 8 MiB, and not a round number. */
const fileBytes = 17 * 2 ** 20 + 13;

let folder: string;
let path: string;
const content = Uint8Array.from({ length: fileBytes }, (_, index) => (index * 2654435761) >>> 24);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-sources-"));
  path = join(folder, "content.bin");
  await writeFile(path, content);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const sources: readonly (readonly [string, () => Promise<ByteSource>])[] = [
  ["openFileSource", () => openFileSource(path)],
  ["openFileSource of a URL", () => openFileSource(pathToFileURL(path))],
  ["bytesSource", async () => bytesSource(content)],
  ["blobSource", async () => blobSource(new Blob([content]))],
];

describe.each(sources)("%s", (_, open) => {
  it("reads any range, an empty one and the whole", async () => {
    const source = await open();
    expect(source.size).toBe(fileBytes);
    for (const [offset, length] of [
      [0, 0],
      [0, 1],
      [12345, 678],
      [fileBytes - 3, 3],
      [fileBytes, 0],
      [5, fileBytes - 5],
    ] as const) {
      const bytes = await source.read(offset, length);
      expect(Buffer.compare(bytes, content.subarray(offset, offset + length))).toBe(0);
    }
    await source.close();
    await source.close();
  });

  it("fills views of shared WebAssembly memory and nothing around them", async () => {
    const source = await open();
    const pages = Math.ceil(fileBytes / 65536) + 1;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const view = new Uint8Array(memory.buffer, 16, fileBytes - 7);
    await source.readInto(7, view);
    expect(Buffer.compare(view.slice(), content.subarray(7))).toBe(0);
    expect(new Uint8Array(memory.buffer, 0, 16).every((byte) => byte === 0)).toBe(true);
    expect(new Uint8Array(memory.buffer, 16 + fileBytes - 7, 16).every((byte) => byte === 0)).toBe(true);
    await source.close();
  });

  it("refuses ranges outside of it", async () => {
    const source = await open();
    for (const [offset, length] of [
      [0, fileBytes + 1],
      [-1, 1],
      [0.5, 1],
      [NaN, 1],
      [fileBytes, 1],
      [0, 1e15],
    ] as const) {
      await expect(source.read(offset, length)).rejects.toMatchObject({ code: "FILE_READ" });
    }
    await expect(source.readInto(fileBytes - 1, new Uint8Array(2))).rejects.toMatchObject({
      code: "FILE_READ",
    });
    await source.close();
  });
});

describe("openFileSource", () => {
  it.each([
    ["a missing file", () => join(folder, "absent.gguf"), "no such file"],
    ["a folder", () => folder, "folder"],
    ["a device", () => "/dev/null", "regular file"],
    ["a path below a file", () => join(path, "below"), "no such file"],
    ["a name with a zero byte", () => "a\0b", "null bytes"],
    ["a web address", () => new URL("https://example.com/m.gguf"), "file: URLs"],
  ])("refuses %s", async (_, where, message) => {
    await expect(openFileSource(where())).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringContaining(message),
    });
  });

  it("reports a file that becomes shorter or is closed", async () => {
    const short = join(folder, "short.bin");
    await writeFile(short, content.subarray(0, 1000));
    const source = await openFileSource(short);
    await truncate(short, 500);
    await expect(source.read(0, 1000)).rejects.toMatchObject({ code: "FILE_READ", details: { offset: 500 } });
    await source.close();
    await expect(source.read(0, 10)).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it.each([
    ["rewritten with other bytes", (file: string) => writeFile(file, content.subarray(1, 1001))],
    ["made longer", (file: string) => writeFile(file, content.subarray(0, 1001))],
    ["cut and grown again with zeros", (file: string) => truncate(file, 0).then(() => truncate(file, 1000))],
  ])("says so when the file was %s", async (_, change) => {
    const changed = join(folder, "changed.bin");
    await writeFile(changed, content.subarray(0, 1000));
    // Long before the change: a clock that ticks every 4 ms shows the difference.
    await utimes(changed, 1000, 1000);
    const source = await openFileSource(changed);
    const target = new Uint8Array(10);
    source.readIntoNow?.(0, target);
    await source.readInto(0, target);
    await change(changed);
    const error = { code: "FILE_READ", message: expect.stringContaining("has changed") };
    await expect(source.readInto(0, target)).rejects.toMatchObject(error);
    expect(() => source.readIntoNow?.(0, target)).toThrow(expect.objectContaining(error));
    await source.close();
  });

  it("reads on after another file has taken its name, or it was deleted", async () => {
    const replaced = join(folder, "replaced.bin");
    const other = join(folder, "other.bin");
    await writeFile(replaced, content.subarray(0, 1000));
    await writeFile(other, content.subarray(500, 2500));
    const source = await openFileSource(replaced);
    await rename(other, replaced);
    const target = new Uint8Array(1000);
    source.readIntoNow?.(0, target);
    expect(target).toEqual(content.subarray(0, 1000));
    await rm(replaced);
    await expect(source.read(0, 1000)).resolves.toEqual(content.subarray(0, 1000));
    await source.close();
  });

  it("codes errors of the host, in both kinds of read", async () => {
    const handles: { readonly fd: number }[] = [];
    const probe = await open(path);
    const prototype = Object.getPrototypeOf(probe) as { stat: () => Promise<unknown> };
    await probe.close();
    const { stat } = prototype;
    vi.spyOn(prototype, "stat").mockImplementation(async function (this: { readonly fd: number }) {
      handles.push(this);
      return stat.call(this);
    });
    const source = await openFileSource(path);
    vi.restoreAllMocks();
    // Behind the source's back, as a network disk that goes away.
    closeSync(handles[0]?.fd ?? -1);
    const error = { code: "FILE_READ", details: { offset: 5 }, message: expect.stringContaining("EBADF") };
    expect(() => source.readIntoNow?.(5, new Uint8Array(1))).toThrow(expect.objectContaining(error));
    await expect(source.read(5, 1)).rejects.toMatchObject(error);
    await source.close().catch(() => undefined);
  });

  it("lets other work run during a large read", async () => {
    const source = await openFileSource(path);
    let turns = 0;
    let reading = true;
    const count = (): void => {
      turns += 1;
      if (reading) setImmediate(count);
    };
    setImmediate(count);
    await source.read(0, fileBytes);
    reading = false;
    // At least one for each piece.
    expect(turns).toBeGreaterThanOrEqual(3);
    await source.close();
  });
});

describe("createFileSink", () => {
  it("shows the file whole at commit and nothing before", async () => {
    const target = join(folder, "sink-commit.bin");
    const sink = await createFileSink(target);
    // The writes are not awaited one by one. They must be stored in the order of the calls.
    await Promise.all([sink.write(content.subarray(0, 9_000_000)), sink.write(content.subarray(9_000_000))]);
    expect(await readdir(folder)).not.toContain("sink-commit.bin");
    await sink.commit();
    expect(Buffer.compare(await readFile(target), content)).toBe(0);
    await sink.discard();
    expect((await readdir(folder)).filter((name) => name.includes("sink-commit"))).toEqual([
      "sink-commit.bin",
    ]);
    await expect(sink.write(content)).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("leaves no file after discard, and keeps an existing file", async () => {
    const target = join(folder, "sink-discard.bin");
    await writeFile(target, "old");
    const sink = await createFileSink(target);
    await sink.write(content);
    await sink.discard();
    await sink.discard();
    expect(await readFile(target, "utf8")).toBe("old");
    expect((await readdir(folder)).filter((name) => name.includes("sink-discard"))).toEqual([
      "sink-discard.bin",
    ]);
  });

  it.each([
    ["a missing folder", () => join(folder, "absent", "x.bin")],
    ["a folder's own name", () => folder],
    ["a device", () => "/dev/null"],
  ])("refuses %s", async (_, where) => {
    await expect(createFileSink(where())).rejects.toMatchObject({ code: "FILE_WRITE" });
  });
});

describe("the host", () => {
  it("has a thread and memory", () => {
    expect(availableParallelism()).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(availableParallelism())).toBe(true);
    expect(freeMemoryBytes()).toBeGreaterThan(2 ** 20);
    expect(freeMemoryBytes()).toBeLessThan(2 ** 50);
  });
});
