import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

it("the guide explains every error code, and no other", async () => {
  const [, union = ""] = /export type BitNetErrorCode =([^;]+);/.exec(await read("src/errors.ts")) ?? [];
  const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(15);
  const rows = [...(await read("docs/guide/errors.md")).matchAll(/^\| `([A-Z_]+)`/gm)].map(
    ([, code]) => code,
  );
  expect(rows).toEqual(codes);
});
