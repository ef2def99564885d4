import type { JsonValue, Inspection } from "../../tools/inspect.js";
import type { Service } from "../service.js";

/** The description of a model in lists. */
export interface ModelFacts {
  readonly architecture: string;
  readonly parameters: number;
  /** Size of the file if it is known, else bytes of weights in memory. */
  readonly bytes: number;
  readonly contextLength: number;
  readonly width: number;
  readonly layers: number;
  readonly weightFormats: readonly string[];
  readonly chatTemplate: string;
  /** In Ollama's words: "completion", "embedding", "tools", "thinking". */
  readonly capabilities: readonly string[];
}

/** Facts of a loaded model. */
export function factsOf(service: Service): ModelFacts {
  const { architecture, parameters, contextLength, width, layers, weightFormats, memoryBytes } =
    service.model.info;
  return {
    architecture,
    parameters,
    bytes: memoryBytes.weights + memoryBytes.head,
    contextLength,
    width,
    layers,
    weightFormats,
    chatTemplate: service.tokenizer.chatTemplate ?? "",
    capabilities: capabilitiesOf(service),
  };
}

function capabilitiesOf({ template, isEmbedder }: Service): string[] {
  if (isEmbedder) return ["embedding"];
  try {
    const { toolSyntax, thoughts } = template();
    return [
      "completion",
      ...(toolSyntax === undefined ? [] : ["tools"]),
      ...(thoughts === undefined ? [] : ["thinking"]),
    ];
  } catch {
    // A broken template is reported when it is first used.
    return ["completion"];
  }
}

/** GGUF's numbers of poolings that make an embedding model: 1 the mean, 3 the last token. */
const poolings: readonly JsonValue[] = [1, 3];

/** Facts of a file. The capabilities are a guess by words of the template, until the model is loaded. */
export function inspectedFacts({ architecture, metadata, summary }: Inspection): ModelFacts {
  const name = architecture ?? "";
  const count = (key: string): number => {
    const value = metadata[`${name}.${key}`];
    return typeof value === "number" ? value : 0;
  };
  const template = metadata["tokenizer.chat_template"];
  // Very long templates are abridged.
  const chatTemplate = typeof template === "string" ? template : "";
  return {
    architecture: name,
    parameters: summary.parameters,
    bytes: summary.fileBytes,
    contextLength: count("context_length"),
    width: count("embedding_length"),
    layers: count("block_count"),
    weightFormats: Object.keys(summary.bytesByType).sort(),
    chatTemplate,
    capabilities: poolings.includes(metadata[`${name}.pooling_type`] ?? 0)
      ? ["embedding"]
      : [
          "completion",
          ...(/\btools\b/.test(chatTemplate) ? ["tools"] : []),
          ...(chatTemplate.includes("</think>") ? ["thinking"] : []),
        ],
  };
}
