import { describe, expect, it } from "vitest";
import { layoutOf, layouts } from "#dist/packing/layouts/index.js";
import { packableTypes, selfTestsOf } from "#dist/packing/pack.js";
import { weightFormats } from "#dist/weight-formats/index.js";

describe("the table of layouts", () => {
  it("finds each layout by its name, and refuses a name without one", () => {
    for (const layout of layouts) expect(layoutOf({ layout: layout.name })).toBe(layout);
    expect(new Set(layouts.map(({ name }) => name)).size).toBe(layouts.length);
    expect(() => layoutOf({ layout: "none" })).toThrow(RangeError);
  });

  it("has one input format for each name of an input format", () => {
    const formats = new Set(layouts.flatMap(({ inputFormat }) => inputFormat ?? []));
    expect(new Set([...formats].map(({ name }) => name)).size).toBe(formats.size);
  });

  it("packs every weight format, each once", () => {
    expect([...packableTypes].sort()).toEqual(weightFormats.map(({ name }) => name).sort());
  });

  it("tests each layout that a weight format may become, once", () => {
    const groups = (names: readonly string[]): readonly unknown[] =>
      layouts.filter(({ name }) => names.includes(name)).map(({ selfTest }) => selfTest);
    expect(selfTestsOf([{ type: "I2_S" }, { type: "F16" }], ["fast"])).toEqual([]);
    expect(selfTestsOf([{ type: "TQ1_0" }, { type: "Q1_0" }], ["fast"])).toEqual(
      groups(["ternary-groups-128"]),
    );
    expect(selfTestsOf([{ type: "Q2_0" }], ["fast"])).toEqual(
      groups(["ternary-groups-64", "ternary-groups-128"]),
    );
    expect(selfTestsOf([{ type: "I2_S" }], ["small"])).toEqual(groups(["base3-rows"]));
    expect(selfTestsOf([{ type: "TQ1_0" }], ["small"])).toEqual(
      groups(["base3-rows", "base3-groups", "ternary-groups-128"]),
    );
    expect(selfTestsOf([{ type: "Q4_K" }, { type: "Q4_1" }], ["fast"])).toEqual(groups(["affine-4-32-min"]));
  });
});
