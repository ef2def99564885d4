import { BitNetError } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";
import { readLines } from "./lines.js";
import { type BatchRequest, createLineParser, type InvalidLine, quote } from "./request.js";
import type { BatchResult } from "./result.js";

/** The lines of a batch. Bodies stay on the disk until they are needed. */
export interface BatchInput {
  /** Number of lines that are not blank. */
  readonly total: number;
  /** Reads the lines again. */
  lines(): AsyncGenerator<BatchRequest | InvalidLine, void, void>;
  /**
   * Compares the input with the results of earlier runs.
   *
   * @returns results whose requests are no longer in the input.
   * @throws BitNetError INVALID_ARGUMENT if a result belongs to another request of the same custom_id.
   */
  strayResults(results: ReadonlyMap<string, BatchResult>): readonly BatchResult[];
}

/** @param model digest of the model. */
export async function openInput(source: ByteSource, model: string): Promise<BatchInput> {
  const ids = new Set<string>();
  const customIds = new Set<string>();

  async function* lines(): AsyncGenerator<BatchRequest | InvalidLine, void, void> {
    const parse = createLineParser(model);
    for await (const { number, text } of readLines(source)) yield parse(number, text);
  }

  for await (const { id, customId } of lines()) {
    ids.add(id);
    if (customId !== null) customIds.add(customId);
  }
  return {
    total: ids.size,
    lines,
    strayResults(results) {
      const stray = [...results.values()].filter(({ id }) => !ids.has(id));
      // A line that was invalid may have been corrected since: it is answered now.
      const changed = stray.filter(
        ({ customId, isResponse }) => isResponse && customId !== null && customIds.has(customId),
      );
      if (changed[0] !== undefined) throw changedRequests(changed.length, changed[0]);
      return stray;
    },
  };
}

function changedRequests(count: number, { customId }: BatchResult): BitNetError {
  const results = count === 1 ? "1 result" : `${count} results`;
  return new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot go on: the output has ${results} to requests that differ now (the first is custom_id ${quote(customId)}). The input or the model has changed; choose another output file, or take these lines out of it`,
    { details: { customId } },
  );
}
