import { BitNetError } from "../errors.js";
import { type AppendFile, openAppendFile } from "../platform/node-append-file.js";
import { fileIdentity } from "../platform/node-folder.js";
import { openFileSource } from "../platform/node-file-source.js";
import { readLines } from "./lines.js";
import { type BatchResult, readResult, resultPrefix } from "./result.js";

/** The output of a batch, with the results of earlier runs. */
export interface BatchOutput extends AppendFile {
  /** Results of earlier runs by id. */
  readonly results: ReadonlyMap<string, BatchResult>;
}

/**
 * Opens the output and reads the results of earlier runs. A line that a killed run began is cut.
 *
 * @throws BitNetError FILE_WRITE, FILE_READ; INVALID_ARGUMENT for a file that is not the output of a batch.
 */
export async function openOutput(path: string): Promise<BatchOutput> {
  const results = new Map<string, BatchResult>();
  let completeBytes = 0;
  if ((await fileIdentity(path)) !== undefined) {
    const source = await openFileSource(path);
    try {
      for await (const { number, text, isComplete, end } of readLines(source)) {
        if (!isComplete && (results.size > 0 || beginsResult(text))) break;
        const result = readResult(text);
        if (result === undefined) throw notResult(path, number);
        results.set(result.id, result);
        completeBytes = end;
      }
    } finally {
      await source.close();
    }
  }
  return { ...(await openAppendFile(path, completeBytes)), results };
}

/** Whether a killed run can have begun this line. The only line of a foreign file may lack its line feed. */
function beginsResult(text: string | undefined): boolean {
  return text !== undefined && resultPrefix.startsWith(text.slice(0, resultPrefix.length));
}

function notResult(path: string, line: number): BitNetError {
  return new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot go on in "${path}": line ${line} is not a result of a batch; choose another output file`,
    { details: { line } },
  );
}
