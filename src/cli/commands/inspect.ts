import type { Command } from "commander";
import {
  type AbridgedValue,
  type Inspection,
  type InspectOptions,
  inspectModel,
  type JsonValue,
} from "../../tools/inspect.js";
import type { CliCommand } from "../command.js";
import { parseCount } from "../flag-values.js";
import { addFlags, cacheFlags, packingFlags } from "../library-flags.js";
import { localModel } from "../local-model.js";
import { modelName } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { createTextTable } from "../text-table.js";
import { formatBytes, formatCount } from "../units.js";
import { visible } from "../visible.js";

const help = `
Reads only the header, so a file of any size takes no time. Models that cannot run are described too.
Memory is what loading would need: weights as kernels read them, the output head or its screen, the KV cache of one full
context and the working buffers of one session.
--json prints { architecture, metadata, tensors: [{ name, shape, type, bytes }], summary }.

Examples:
  bitnet inspect
  bitnet inspect model.gguf --ctx 2048
  bitnet inspect model.gguf --json`;

interface InspectFlags extends InspectOptions {
  readonly json?: true;
}

/** Longer metadata values are cut in the table. --json has them in full. */
const maxCharacters = 72;

export const inspect: CliCommand = {
  name: "inspect",
  summary: "Show a file's metadata, tensors and memory needs",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[file]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .option(
        "-c, --ctx <tokens>",
        "context length to estimate memory for (default: the model's)",
        parseCount(1),
      )
      .option(
        "-t, --threads <count>",
        "threads to estimate memory for (default: one per available CPU)",
        parseCount(1),
      )
      .option("--json", "print one JSON object");
    addFlags(command, [...packingFlags, ...cacheFlags]);
    command
      .addHelpText("after", help)
      .action((path: string | undefined, { ctx, ...flags }: InspectFlags & { readonly ctx?: number }) =>
        inspectFile(path, { contextLength: ctx, ...flags }, terminal),
      );
  },
};

async function inspectFile(
  path: string | undefined,
  { json, contextLength, threads, packing, cacheType }: InspectFlags,
  terminal: Terminal,
): Promise<void> {
  const options = { contextLength, threads, packing, cacheType, signal: terminal.signal };
  const inspection = await inspectModel(await localModel(path, terminal), options);
  terminal.write(
    json === true ? `${JSON.stringify(inspection)}\n` : describeInspection(modelName(path), inspection),
  );
}

function describeInspection(name: string, { architecture, metadata, tensors, summary }: Inspection): string {
  const metadataRows = Object.entries(metadata).map(([key, value]) => [
    visible(key),
    shorten(describeValue(value)),
  ]);
  const tensorRows = tensors.map(({ name, shape, type, bytes }) => [
    visible(name),
    type,
    shape.join(" × "),
    formatBytes(bytes),
  ]);
  return [
    `${visible(name)}: ${visible(architecture ?? "no architecture named")}, ${formatBytes(summary.fileBytes)}`,
    "",
    ...tableLines([{ title: "metadata" }, { title: "value" }], metadataRows),
    "",
    ...tableLines(
      [{ title: "tensor" }, { title: "type" }, { title: "shape" }, { title: "size", align: "right" }],
      tensorRows,
    ),
    "",
    ...summaryLines(tensors.length, summary),
    "",
  ].join("\n");
}

function tableLines(...[columns, rows]: Parameters<typeof createTextTable>): readonly string[] {
  const table = createTextTable(columns, rows);
  return [table.head, ...rows.map((cells) => table.row(cells))];
}

function summaryLines(tensorCount: number, summary: Inspection["summary"]): readonly string[] {
  const { parameters, ternaryParameters, bytesByType, problem, packing, kvBytesPerPosition } = summary;
  const types = Object.entries(bytesByType).sort(([, a], [, b]) => b - a);
  const tensorBytes = types.reduce((sum, [, bytes]) => sum + bytes, 0);
  const perPosition =
    kvBytesPerPosition === null
      ? ""
      : `, and ${formatBytes(kvBytesPerPosition)} of KV cache for each token before it`;
  const rows = [
    [
      "tensors",
      `${tensorCount}: ${types.map(([type, bytes]) => `${type} ${formatBytes(bytes)}`).join(", ")}`,
    ],
    ["parameters", `${formatCount(parameters)}, of which ${formatCount(ternaryParameters)} ternary`],
    ["bits per weight", parameters > 0 ? ((tensorBytes * 8) / parameters).toFixed(2) : "-"],
    ...(packing === null ? [] : [["packing", packing]]),
    ["memory", describeMemory(summary.estimatedMemory)],
    ["read per token", `${formatBytes(summary.bytesPerToken)} of weights${perPosition}`],
    ...(problem === null ? [] : [["does not run", problem]]),
  ];
  return rows.map(([name = "", value = ""]) => `${name.padEnd(15)}  ${visible(value)}`);
}

function describeMemory(memory: Inspection["summary"]["estimatedMemory"]): string {
  const { weights, head, headScreened, kvCache, work, contextLength, threads } = memory;
  const parts = [
    `weights ${formatBytes(weights)}`,
    `head ${formatBytes(head)}${headScreened ? " (its screen)" : ""}`,
    kvCache === null
      ? "KV cache unknown"
      : `KV cache ${formatBytes(kvCache)} for ${contextLength ?? 0} tokens`,
    ...(work === null ? [] : [`working buffers ${formatBytes(work)} for ${threads} threads`]),
  ];
  return `${formatBytes(memory.total)}: ${parts.join(", ")}`;
}

function describeValue(value: JsonValue): string {
  if (typeof value === "string") return visible(value);
  if (typeof value !== "object") return String(value);
  if (!isAbridged(value)) return visible(JSON.stringify(value));
  return `${value.type}, ${value.length}: ${visible(JSON.stringify(value.first))}`;
}

function isAbridged(value: object): value is AbridgedValue {
  return "type" in value && "length" in value && "first" in value;
}

function shorten(text: string): string {
  const characters = Array.from(text);
  return characters.length <= maxCharacters ? text : `${characters.slice(0, maxCharacters - 1).join("")}…`;
}
