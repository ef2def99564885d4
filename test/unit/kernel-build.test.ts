import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileKernels, kernelBuilds } from "#dist/wasm/kernel-build.js";
import { applyPatch } from "#dist/wasm/patch.js";
// @ts-expect-error A script has no types.
import { makePatch as make } from "../../scripts/binary-patch.mjs";

const makePatch: (base: Uint8Array, target: Uint8Array) => Uint8Array = make;

test.each(kernelBuilds)("the embedded %s build is the compiled file, byte for byte", async (build) => {
  const file = readFileSync(join(import.meta.dirname, "../../build", `${build}.wasm`));
  const { bytes } = await compileKernels(build);
  expect(bytes.length).toBe(file.length);
  expect(file.equals(bytes)).toBe(true);
});

test("applyPatch copies literals, and parts after and before the last one", () => {
  const base = Uint8Array.of(10, 11, 12, 13, 14, 15);
  // 7 bytes: 1 literal, 2 bytes at 0 + 3; no literal, 3 bytes at 5 − 4; 1 literal, nothing.
  const patch = Uint8Array.of(7, 1, 99, 6, 2, 0, 7, 3, 1, 98, 0, 0);
  expect([...applyPatch(base, patch)]).toEqual([99, 13, 14, 11, 12, 13, 98]);
});

test("applyPatch reads numbers of more than seven bits", () => {
  const base = Uint8Array.from({ length: 300 }, (_, index) => index % 251);
  // 300 bytes: no literal, 300 bytes at 0.
  expect([...applyPatch(base, Uint8Array.of(0xac, 2, 0, 0, 0xac, 2))]).toEqual([...base]);
});

test("a patch of a file gives the other file", () => {
  const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 6 });
  const files = parts.chain((all) => {
    const file = fc.array(fc.constantFrom(...all), { maxLength: 12 }).map((some) => Buffer.concat(some));
    return fc.tuple(file, file);
  });
  fc.assert(
    fc.property(files, ([base, target]) => {
      expect(target.equals(applyPatch(base, makePatch(base, target)))).toBe(true);
    }),
  );
});
