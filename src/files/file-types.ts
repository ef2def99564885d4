/** `general.file_type` of a GGUF file by the type of most tensors. Other engines only display it. */
const fileTypes: ReadonlyMap<string, number> = new Map([
  ["F32", 0],
  ["F16", 1],
  ["Q4_0", 2],
  ["Q8_0", 7],
  ["Q5_0", 8],
  ["Q4_K", 15],
  ["Q6_K", 18],
  ["BF16", 32],
  ["TQ1_0", 36],
  ["TQ2_0", 37],
  // bitnet.cpp and llama.cpp gave one number to two types.
  ["I2_S", 40],
  ["Q1_0", 40],
  ["Q2_0", 41],
  ["Q2_0_G128", 41],
]);

/** @returns undefined for types without a number */
export function fileTypeOf(tensorType: string): number | undefined {
  return fileTypes.get(tensorType);
}
