import { BitNetError } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";
import { openGguf } from "./gguf.js";
import type { ModelFile } from "./model-file.js";

export type {
  Metadata,
  MetadataArray,
  MetadataScalarType,
  MetadataType,
  MetadataValue,
  ModelFile,
  ModelFileSource,
  TensorInfo,
} from "./model-file.js";

export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
}

interface Container {
  readonly name: string;
  /** Whether a file begins like this container. */
  matches(head: Uint8Array): boolean;
  open(source: ByteSource, options: OpenOptions): Promise<ModelFile>;
}

/** Every readable container, recognised by the first bytes of a file. */
const containers: readonly Container[] = [
  { name: "GGUF", matches: (head) => beginsWith(head, "GGUF"), open: openGguf },
];

/** Other files that people try to load, each with advice. */
const mistakes: readonly {
  readonly matches: (head: Uint8Array) => boolean;
  readonly code: "UNSUPPORTED_FILE" | "FILE_CORRUPT";
  readonly message: string;
}[] = [
  {
    matches: (head) => beginsWith(head, "FUGG"),
    code: "UNSUPPORTED_FILE",
    message: "it is a big-endian GGUF file; convert it to little-endian",
  },
  {
    matches: (head) => ["lmgg", "fmgg", "tjgg", "algg"].some((magic) => beginsWith(head, magic)),
    code: "UNSUPPORTED_FILE",
    message: "it is a GGML file from before GGUF; convert it to GGUF",
  },
  {
    // The length of a JSON header as u64, then the header.
    matches: (head) => head[8] === 0x7b && head.slice(4, 8).every((byte) => byte === 0),
    code: "UNSUPPORTED_FILE",
    message: "it is a safetensors file, which does not hold a whole model; name its folder instead",
  },
  {
    matches: (head) => beginsWith(head, "PK\x03\x04") || beginsWith(head, "\x80\x02"),
    code: "UNSUPPORTED_FILE",
    message: "it is a zip archive or a PyTorch checkpoint; convert it to GGUF",
  },
  {
    matches: (head) => beginsWith(head, "\x1f\x8b") || beginsWith(head, "\x28\xb5\x2f\xfd"),
    code: "UNSUPPORTED_FILE",
    message: "it is compressed; unpack it first",
  },
  {
    matches: (head) => beginsWith(head, "version https://git-lfs"),
    code: "FILE_CORRUPT",
    message:
      'it is a Git LFS pointer, not the file it points to; run "git lfs pull" or download the file itself',
  },
  {
    matches: (head) => /^\s*<(!doctype|html|\?xml)/i.test(latin1(head)),
    code: "FILE_CORRUPT",
    message: "it is a web page, such as a download's error or login page; download the file itself",
  },
  {
    matches: (head) => head.length > 0 && head.every((byte) => byte === 0),
    code: "FILE_CORRUPT",
    message: "it begins with zeros, as an unfinished download does; download it again",
  },
];

const headBytes = 64;

/**
 * Opens a model file of any container and checks its structure. Weights are not read.
 *
 * @param source stays open; the caller closes it
 * @throws BitNetError FILE_CORRUPT, UNSUPPORTED_FILE or FILE_READ. The message says what the file looks like.
 */
export async function openModelFile(source: ByteSource, options: OpenOptions = {}): Promise<ModelFile> {
  const head = await source.read(0, Math.min(headBytes, source.size));
  const container = containers.find(({ matches }) => matches(head));
  if (container) return container.open(source, options);

  const mistake = mistakes.find(({ matches }) => matches(head));
  const message = mistake?.message ?? (head.length === 0 ? "it is empty" : `it begins with ${hex(head)}`);
  const names = containers.map(({ name }) => name).join(", ");
  throw new BitNetError(
    mistake?.code ?? "FILE_CORRUPT",
    `Cannot read "${source.name}": it is not a model file (${names}): ${message}`,
    { details: { offset: 0 } },
  );
}

function beginsWith(head: Uint8Array, magic: string): boolean {
  return latin1(head).startsWith(magic);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
