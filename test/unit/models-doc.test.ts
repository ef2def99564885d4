import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { modelFamilies } from "../conformance/model-families.js";
import { transformersGoldens } from "../conformance/transformers-checkpoint.js";

const text = readFileSync(new URL("../../docs/MODELS.md", import.meta.url), "utf8");
const [, families = "", rest = ""] = text.split(/^## Families and .*$/m);
const rowsOf = (table: string): string[][] =>
  table
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(2)
    .map((line) => line.slice(2, -2).split(/ +\| +/));

describe("docs/MODELS.md", () => {
  it("has a row for every family that is tested", () => {
    const names = rowsOf(families).map(([name]) => name);
    expect(names.toSorted()).toEqual(
      [...modelFamilies.map(({ name }) => name), "bitnet_b1_58-3B"].toSorted(),
    );
  });

  it("names every golden file of transformers, and no other", () => {
    const linked = [...text.matchAll(/\[([^\]]+)\]\(\.\.\/test\/golden\/transformers\/variants\.py\)/g)];
    expect(linked.map(([, name]) => name).toSorted()).toEqual(transformersGoldens);
  });

  it.each(rowsOf(rest.split("**Not shown:**")[0] ?? ""))("names existing tests: %s", (...cells) => {
    let links = 0;
    for (const [, name = "", path = ""] of cells.join(" ").matchAll(/\[([^\]]+)\]\(\.\.\/test\/([^)]+)\)/g)) {
      const file = readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
      expect(file, `${name} in ${path}`).toContain(name);
      links += 1;
    }
    expect(links).toBeGreaterThan(1);
  });
});
