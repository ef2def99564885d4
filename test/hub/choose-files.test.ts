import { expect, it } from "vitest";
import { chooseModel } from "#dist/hub/choose-files.js";

it.each<[string, string[], string | undefined]>([
  ["I2_S before the other types", ["m-tq2_0.gguf", "m-f16.gguf", "m-i2_s.gguf"], "m-i2_s.gguf"],
  ["the only ternary file", ["m-Q4_K_M.gguf", "m-f16.gguf", "m-Q2_0.gguf", "m-Q2_K.gguf"], "m-Q2_0.gguf"],
  ["a ternary type with its group size", ["m-F16.gguf", "m-Q2_0_g128.gguf"], "m-Q2_0_g128.gguf"],
  ["no file of several ternary ones", ["m-tq1_0.gguf", "m-tq2_0.gguf", "m-f16.gguf"], undefined],
  ["no file of several others", ["m-q4_0.gguf", "m-q8_0.gguf"], undefined],
])("chooses %s", (_, paths, chosen) => {
  const choice = chooseModel(paths.map((path) => ({ path })));
  expect(choice).toMatchObject(
    chosen === undefined ? { kind: "ambiguous" } : { kind: "gguf", files: [{ path: chosen }] },
  );
});
