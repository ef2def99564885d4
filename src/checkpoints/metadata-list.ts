import type { MetadataType, MetadataValue } from "../files/model-file.js";

/** One entry of metadata with its GGUF type. */
export type MetadataEntry = readonly [key: string, type: MetadataType, value: MetadataValue];

/** Metadata in the two maps of a ModelFile. Of repeated keys the last counts. */
export function metadataMaps(entries: readonly MetadataEntry[]): {
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly metadataTypes: ReadonlyMap<string, MetadataType>;
} {
  return {
    metadata: new Map(entries.map(([key, , value]) => [key, value])),
    metadataTypes: new Map(entries.map(([key, type]) => [key, type])),
  };
}
