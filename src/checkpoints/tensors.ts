import type { SafetensorsTensor } from "../files/safetensors.js";
import type { TensorInfo } from "../files/model-file.js";
import type { ByteSource } from "../platform/byte-source.js";
import { bytesSource } from "../platform/memory-source.js";
import { weightFormatByName, type WeightFormat } from "../weight-formats/index.js";
import type { Config } from "./config.js";
import type { CheckpointFamily } from "./families/index.js";
import { madeSource } from "./made-source.js";
import { masterDtypes, masterMatrix, ternaryFloats, ternaryFloatSource } from "./master-matrix.js";
import { packedMatrix } from "./packed-matrix.js";
import type { QuantizationPlan, QuantizationRule } from "./quantization.js";
import { asStored, neighboursTogether, reorderedSource, type RowOrder } from "./row-order.js";
import { byPlaceInModel, isComputed, nameTensor, ownNormNames, type TensorName } from "./tensor-names.js";
import { ternarySource, type TernaryMatrix } from "./ternary-source.js";

/** Everything that maps a checkpoint's tensors to those of a GGUF file. */
export interface TensorPlan {
  readonly config: Config;
  readonly family: CheckpointFamily;
  readonly quantization: QuantizationPlan;
  readonly headSize: number;
  readonly tied: boolean;
}

/** One tensor of the checkpoint, with the facts that decide its mapping. */
interface Placed {
  readonly tensor: SafetensorsTensor;
  readonly name: TensorName;
  readonly order: RowOrder;
  /** The checkpoint has a norm before this projection alone. */
  readonly hasOwnNorm: boolean;
}

const scaleSuffix = "_scale";
/** The length of an I2_S row must be a multiple of this. */
const i2SRun = 128;

/**
 * The checkpoint's tensors with GGUF's names, order, types and row orders. Linear layers that the
 * quantization makes ternary become I2_S when they are read.
 *
 * @throws BitNetError UNSUPPORTED_ARCHITECTURE for a tensor unknown to the family; MODEL_INVALID if dtypes or
 *   scales contradict quantization_config; UNSUPPORTED_TENSOR_TYPE for unreadable dtypes and shapes.
 */
export function placeTensors(
  stored: ReadonlyMap<string, SafetensorsTensor>,
  plan: TensorPlan,
): ReadonlyMap<string, TensorInfo> {
  const { config, family, tied } = plan;
  const scales = new Map<string, SafetensorsTensor>();
  const placed = new Map<string, TensorInfo>();
  for (const [name, tensor] of stored) {
    if (name.endsWith(`.weight${scaleSuffix}`)) scales.set(name.slice(0, -scaleSuffix.length), tensor);
  }
  for (const [name, tensor] of stored) {
    if (isComputed(name) || scales.has(name.slice(0, -scaleSuffix.length))) continue;
    const found = nameTensor(name, family);
    if (found === undefined) {
      throw config.unsupported(
        "UNSUPPORTED_ARCHITECTURE",
        `the checkpoint's tensor ${JSON.stringify(name)} has no place in the ${family.architecture} graph, and leaving it out would give wrong text`,
        { tensor: name },
      );
    }
    // A tied head is the embedding, even if the file has another tensor for it.
    if (tied && found.gguf === "output.weight") continue;
    if (placed.has(found.gguf)) {
      throw config.invalid(`the checkpoint has two tensors for "${found.gguf}"`, { tensor: name });
    }
    const order = orderOf(found, tensor, plan);
    const hasOwnNorm = ownNormNames(name).some((norm) => stored.has(norm));
    placed.set(found.gguf, placeTensor({ tensor, name: found, order, hasOwnNorm }, plan, scales));
  }
  requireScalesUsed(stored, scales, plan);
  if (!tied && !placed.has("output.weight") && !stored.has("lm_head.weight") && isLanguageModel(config)) {
    throw config.invalid(
      '"tie_word_embeddings" is false, and the checkpoint has no tensor "lm_head.weight": there is no output head',
      { tensor: "lm_head.weight" },
    );
  }
  return new Map(
    byPlaceInModel([...placed.keys()]).map((name) => [name, placed.get(name) as TensorInfo] as const),
  );
}

/** Base models have no head. They make embeddings, and their tied head is never used. */
function isLanguageModel(config: Config): boolean {
  return config.list("architectures").some((name) => String(name).endsWith("ForCausalLM"));
}

function orderOf({ part }: TensorName, tensor: SafetensorsTensor, plan: TensorPlan): RowOrder {
  const turns = part === "self_attn.q_proj" || part === "self_attn.k_proj";
  if (plan.family.turnsNeighbours !== true || !turns) return asStored;
  const rows = (tensor.shape[0] ?? 0) * (tensor.dtype === "U8" ? 4 : 1);
  if (rows % plan.headSize === 0 && plan.headSize % 2 === 0) return neighboursTogether(plan.headSize);
  throw plan.config.invalid(
    `the checkpoint's tensor ${JSON.stringify(tensor.name)} has ${rows} rows, which are no whole heads of ${plan.headSize}`,
    { tensor: tensor.name },
  );
}

function placeTensor(
  placed: Placed,
  plan: TensorPlan,
  scales: ReadonlyMap<string, SafetensorsTensor>,
): TensorInfo {
  const { tensor } = placed;
  const scale = scales.get(tensor.name);
  const rule = ruleOf(placed, plan, scale);
  if (rule.kind === "dense") return placeFloats(placed, plan, scale);
  const [rows = 0, cols = 0, ...rest] = tensor.shape;
  if (rows === 0 || cols === 0 || rest.length > 0) {
    throw plan.config.invalid(`${what(tensor)} should be a matrix`, { tensor: tensor.name });
  }
  return rule.kind === "packed"
    ? placePacked(placed, scale, rule.scale, plan)
    : placeMasters(placed, scale, plan);
}

/**
 * The storage of one tensor's weights. Only BitLinear has a norm of its own, so floats behind such a norm are
 * masters, whatever quantization_config says. Microsoft's embedding models may have no quantization_config.
 */
function ruleOf(
  { tensor, name, hasOwnNorm }: Placed,
  { quantization: { rule, isLeftOut } }: TensorPlan,
  scale: SafetensorsTensor | undefined,
): QuantizationRule {
  const isLinear = name.part.endsWith("_proj") && name.gguf.endsWith(".weight");
  if (isLinear && hasOwnNorm && masterDtypes.includes(tensor.dtype) && scale === undefined) {
    return { kind: "masters" };
  }
  const isTernary = isLinear && !isLeftOut(name.module) && !isLeftOut(`model.${name.module}`);
  return isTernary ? rule : { kind: "dense" };
}

function placePacked(
  { tensor, name, order }: Placed,
  scale: SafetensorsTensor | undefined,
  convention: "divide" | "multiply",
  { config, quantization }: TensorPlan,
): TensorInfo {
  if (tensor.dtype !== "U8" || scale === undefined) {
    const has = tensor.dtype === "U8" ? `no ${tensor.name}${scaleSuffix}` : `dtype ${tensor.dtype}`;
    throw config.invalid(
      `${quantization.reason}, which means packed weights (U8 with a weight_scale), and ${what(tensor)} has ${has}`,
      { tensor: tensor.name },
    );
  }
  const matrix = packedMatrix(tensor, scaleReader(scale, convention, config));
  if (matrix.cols % i2SRun === 0) return placeTernary(name, matrix, order);
  throw config.unsupported(
    "UNSUPPORTED_TENSOR_TYPE",
    `${what(tensor)} has rows of ${matrix.cols} packed weights, and only multiples of ${i2SRun} are read`,
    { tensor: tensor.name },
  );
}

function placeMasters(
  { tensor, name, order }: Placed,
  scale: SafetensorsTensor | undefined,
  { config, quantization }: TensorPlan,
): TensorInfo {
  if (!masterDtypes.includes(tensor.dtype) || scale !== undefined) {
    const has = scale === undefined ? `dtype ${tensor.dtype}` : `a ${tensor.name}${scaleSuffix}`;
    throw config.invalid(
      `${quantization.reason}, which means float weights that are made ternary here, and ${what(tensor)} has ${has}`,
      { tensor: tensor.name },
    );
  }
  const matrix = masterMatrix(tensor);
  const { rows, cols } = matrix;
  if (cols % i2SRun === 0) return placeTernary(name, matrix, order);
  return describeTensor(name.gguf, [cols, rows], ternaryFloats, ternaryFloatSource(tensor, matrix, order));
}

/** d of a packed matrix, by the checkpoint's convention. Read once. */
function scaleReader(
  scale: SafetensorsTensor,
  convention: "divide" | "multiply",
  config: Config,
): () => Promise<number> {
  const format = weightFormatByName(scale.dtype);
  const elements = scale.shape.reduce((product, size) => product * size, 1);
  if (format === undefined || !masterDtypes.includes(scale.dtype) || elements !== 1) {
    throw config.invalid(`${what(scale)} should be one float`, { tensor: scale.name });
  }
  let reading: Promise<number> | undefined;
  const read = async (): Promise<number> => {
    const [stored = NaN] = format.decode(await scale.source.read(scale.offset, scale.bytes), 1);
    const d = Math.fround(convention === "divide" ? 1 / stored : stored);
    if (d > 0 && d < Infinity) return d;
    throw config.invalid(`${what(scale)} is ${stored}, which is no scale`, { tensor: scale.name });
  };
  return () => (reading ??= read());
}

function placeTernary({ gguf }: TensorName, matrix: TernaryMatrix, order: RowOrder): TensorInfo {
  const { rows, cols } = matrix;
  return describeTensor(gguf, [cols, rows], requireFormat("I2_S"), ternarySource(matrix, order));
}

function placeFloats(
  { tensor, name, order }: Placed,
  { config, family, quantization }: TensorPlan,
  scale: SafetensorsTensor | undefined,
): TensorInfo {
  if (scale !== undefined) {
    throw config.invalid(
      `${quantization.reason}, which leaves ${what(tensor)} as it is, and it has a ${tensor.name}${scaleSuffix}`,
      { tensor: tensor.name },
    );
  }
  const format = masterDtypes.includes(tensor.dtype) ? weightFormatByName(tensor.dtype) : undefined;
  const { shape } = tensor;
  if (format === undefined || shape.length < 1 || shape.length > 2 || shape.includes(0)) {
    throw config.unsupported(
      "UNSUPPORTED_TENSOR_TYPE",
      `${what(tensor)} is ${tensor.dtype} [${shape.join(", ")}]; ${quantization.reason}, and so it should be a vector or matrix of ${masterDtypes.join(", ")}`,
      { tensor: tensor.name, type: tensor.dtype },
    );
  }
  const sizes = shape.toReversed();
  const isNormLessOne = family.normsLessOne?.has(name.part) === true && name.gguf.endsWith(".weight");
  if (isNormLessOne) return describeTensor(name.gguf, sizes, requireFormat("F32"), oneMore(tensor, format));
  if (order === asStored)
    return { ...describeTensor(name.gguf, sizes, format, tensor.source), offset: tensor.offset };
  const rows = shape[0] ?? 0;
  return describeTensor(name.gguf, sizes, format, reorderedSource(tensor, rows, tensor.bytes / rows, order));
}

/** A norm as F32, plus the 1 that the checkpoint subtracts. */
function oneMore(tensor: SafetensorsTensor, format: WeightFormat): ByteSource {
  const elements = tensor.shape.reduce((product, size) => product * size, 1);
  return madeSource({
    name: tensor.source.name,
    units: 1,
    unitBytes: elements * 4,
    async make(_, target) {
      const weights = format.decode(await tensor.source.read(tensor.offset, tensor.bytes), elements);
      target.set(new Uint8Array(weights.map((weight) => weight + 1).buffer));
    },
  });
}

/** A tensor of numbers from config.json. */
export function computedTensor(name: string, values: Float32Array<ArrayBuffer>): TensorInfo {
  const source = bytesSource(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    "config.json",
  );
  return describeTensor(name, [values.length], requireFormat("F32"), source);
}

function describeTensor(
  name: string,
  shape: readonly number[],
  format: WeightFormat,
  source: ByteSource,
): TensorInfo {
  const bytes = format.tensorBytes(shape.reduce((product, size) => product * size, 1));
  return { name, shape, type: format.name, typeId: format.id, format, source, offset: 0, bytes };
}

function requireScalesUsed(
  stored: ReadonlyMap<string, SafetensorsTensor>,
  scales: ReadonlyMap<string, SafetensorsTensor>,
  { config }: TensorPlan,
): void {
  for (const [weight, scale] of scales) {
    if (stored.has(weight)) continue;
    throw config.invalid(`the checkpoint has ${what(scale)} without the weights that it is for`, {
      tensor: scale.name,
    });
  }
}

function requireFormat(name: string): WeightFormat {
  const format = weightFormatByName(name);
  if (format !== undefined) return format;
  throw new TypeError(`no format ${name}`);
}

function what(tensor: SafetensorsTensor): string {
  return `the tensor ${JSON.stringify(tensor.name)}`;
}
