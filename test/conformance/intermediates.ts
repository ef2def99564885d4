import { readFileSync } from "node:fs";

/** A tensor that the native engine computed: rows of `cols` numbers. */
export interface Dumped {
  readonly name: string;
  /** Sizes, fastest-varying first. */
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/** All tensors that the native engine computed for one prompt, in its order. */
export interface Intermediates {
  /** Tokens of the prompt. */
  readonly tokens: number;
  /** Layers with at least one tensor. */
  readonly layers: readonly number[];
  /** The tensor of a name and operation. Undefined if it is missing. */
  find(name: string, operation: string): Dumped | undefined;
  /** @throws if it is missing. */
  get(name: string, operation: string): Dumped;
}

interface Entry {
  readonly name: string;
  readonly op: string;
  readonly ne: readonly number[];
  readonly offset: number;
}

/** Reads `intermediates.json` and `intermediates.f32` of a folder. */
export function readIntermediates(folder: string): Intermediates {
  const entries = JSON.parse(readFileSync(`${folder}/intermediates.json`, "utf8")) as readonly Entry[];
  const bytes = readFileSync(`${folder}/intermediates.f32`);
  const dumps = new Map<string, Dumped>();
  for (const { name, op, ne, offset } of entries) {
    const count = ne.reduce((product, size) => product * size, 1);
    const values = new Float32Array(count);
    new Uint8Array(values.buffer).set(bytes.subarray(offset, offset + count * 4));
    // Norms before their weights repeat a name within a layer. No test reads them.
    dumps.set(`${name} ${op}`, { name, shape: ne, values });
  }
  const layers = new Set(entries.flatMap(({ name }) => /-(\d+)$/.exec(name)?.[1] ?? []).map(Number));
  const find = (name: string, operation: string): Dumped | undefined => dumps.get(`${name} ${operation}`);
  const get = (name: string, operation: string): Dumped => {
    const dumped = find(name, operation);
    if (dumped === undefined) throw new Error(`${folder} has no ${operation} named ${name}`);
    return dumped;
  };
  return {
    tokens: get("Vcur-0", "MUL_MAT").shape[1] ?? 0,
    layers: [...layers].sort((a, b) => a - b),
    find,
    get,
  };
}

/** Row `index` of `cols` numbers. */
export function rowOf(values: Float32Array, index: number, cols: number): Float32Array {
  return values.subarray(index * cols, (index + 1) * cols);
}
