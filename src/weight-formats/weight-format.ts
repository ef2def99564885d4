/** Integer codes with a scale and a minimum per group of weights: w = scale · code − minimum. */
export interface AffineGroups {
  /** [elements] */
  readonly codes: Int8Array;
  /** [elements / groupElements] */
  readonly scales: Float32Array;
  /** [elements / groupElements]; zeros for formats without a minimum. */
  readonly minimums: Float32Array;
}

/**
 * How numbers are stored on disk: one object per type, listed in index.ts.
 *
 * `decode` and `encode` are the definition in plain TypeScript: right first, fast second. The fast way from
 * disk to the kernels' layouts is packing/, which is tested against them.
 */
export interface WeightFormat {
  /** Its common name: "I2_S". */
  readonly name: string;
  /** GGUF tensor type id. Formats may share an id; then the sizes of tensors tell them apart. */
  readonly id: number;
  /** Elements per block. A row's length must be a multiple of it. */
  readonly blockElements: number;
  /** Whether every weight is −1, 0 or +1 times a scale, of the tensor or of its block. */
  readonly ternary: boolean;
  /** Bytes of a tensor of `elements` elements; exact integers. */
  tensorBytes(elements: number): number;
  /**
   * Decodes a whole tensor, or a whole number of blocks if the format has no per-tensor part.
   * @throws BitNetError FILE_CORRUPT with details.offset relative to `bytes` for codes that no writer makes.
   */
  decode(bytes: Uint8Array, elements: number): Float32Array;
  /**
   * Encodes a whole tensor, or a whole number of blocks. Undefined for formats that are only read.
   *
   * Ternary formats take ternary values, with one magnitude per scale. They lose only the scale's last bits,
   * if it is a half. The other formats round like GGML's reference quantizers, to the byte.
   * @throws BitNetError INVALID_ARGUMENT for values that the format cannot hold.
   */
  readonly encode?: (values: Float32Array) => Uint8Array;
  /**
   * The same numbers as integers, for formats whose weights are codes with a scale and a minimum per group.
   */
  readonly affine?: {
    /** Weights that share a scale and a minimum. */
    readonly groupElements: 16 | 32;
    /**
     * Reads a whole number of blocks into arrays of that size.
     * @throws BitNetError FILE_CORRUPT with details.offset relative to `bytes` for a scale that is not
     *   finite.
     */
    readGroups(bytes: Uint8Array, into: AffineGroups): void;
  };
}
