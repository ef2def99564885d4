import { describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { ggufBytes, join, u64, type Part } from "../support/gguf-bytes.js";

const open = (content: Part): ReturnType<typeof openModelFile> =>
  openModelFile(bytesSource(join(content), "m.bin"));

describe("openModelFile", () => {
  it("opens GGUF by its magic", async () => {
    expect((await open(ggufBytes())).container).toBe("gguf");
  });

  it.each<readonly [string, Part, string, string]>([
    ["an empty file", "", "FILE_CORRUPT", "it is empty"],
    ["an unknown file", "hello world", "FILE_CORRUPT", "68 65 6c 6c"],
    ["half a magic", "GG", "FILE_CORRUPT", "47 47"],
    ["safetensors", [u64(20), '{"a":{}}            '], "UNSUPPORTED_FILE", "safetensors"],
    ["a PyTorch archive", "PK\x03\x04aaaaaaaaaaaa", "UNSUPPORTED_FILE", "PyTorch"],
    ["GGML from before GGUF", "lmggaaaaaaaa", "UNSUPPORTED_FILE", "GGML"],
    ["byte-swapped GGUF", "FUGG\0\0\0\x03", "UNSUPPORTED_FILE", "big-endian"],
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
      "FILE_CORRUPT",
      "git lfs pull",
    ],
    ["a web page", "\n<!DOCTYPE html><html>", "FILE_CORRUPT", "web page"],
    ["compressed data", [0x1f, 0x8b, 8, 0, 0], "UNSUPPORTED_FILE", "compressed"],
    ["zeros", new Uint8Array(200), "FILE_CORRUPT", "zeros"],
  ])("says what %s is", async (_, content, code, message) => {
    await expect(open(content)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
