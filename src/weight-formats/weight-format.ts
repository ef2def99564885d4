/**
 * How numbers are stored on disk: one object per type, listed in index.ts.
 *
 * `decode` and `encode` are the definition in plain TypeScript: right first, fast second. The fast way from disk to what
 * kernels read is packing/, which is tested against these.
 */
export interface WeightFormat {
  /** The field's name for it: "I2_S". */
  readonly name: string;
  /** GGUF tensor type id. Not always its own: the sizes of tensors tell formats that share one apart. */
  readonly id: number;
  /** Elements per block; a row's length must be a multiple of it. */
  readonly blockElements: number;
  /** Whether every weight is −1, 0 or +1 times a scale, of the tensor or of its block. */
  readonly ternary: boolean;
  /** Bytes of a tensor of `elements` elements; exact integers. */
  tensorBytes(elements: number): number;
  /**
   * Decodes a whole tensor, or a whole number of blocks where the format has no per-tensor part.
   * @throws BitNetError FILE_CORRUPT with details.offset relative to `bytes` for codes that no writer makes.
   */
  decode(bytes: Uint8Array, elements: number): Float32Array;
  /**
   * Encodes a whole tensor, or a whole number of blocks; undefined for formats that are only read.
   *
   * Ternary formats take values that are ternary already, one magnitude for each scale, and lose nothing but the scale's
   * last bits where it is a half. The others round, as GGML's reference quantizers do, to the byte.
   * @throws BitNetError INVALID_ARGUMENT for values that the format cannot hold.
   */
  readonly encode?: (values: Float32Array) => Uint8Array;
}
