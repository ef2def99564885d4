import type { Command } from "commander";
import type { ListedModel } from "../../hub/index.js";
import type { CliCommand } from "../command.js";
import type { Terminal } from "../terminal.js";
import { createTextTable } from "../text-table.js";
import { formatBytes } from "../units.js";
import { visible } from "../visible.js";

const help = `
The cache is that of Hugging Face's tools: HF_HUB_CACHE, HF_HOME, or else ~/.cache/huggingface/hub. Models that they
downloaded are listed too, even if they cannot run. Other commands accept the name.
--json prints an array of { name, repo, file, revision, commit, bytes, path, lastUsed, unfinished, files }.

Examples:
  bitnet list
  bitnet list --json`;

export const list: CliCommand = {
  name: "list",
  summary: "Show the models in the cache",
  define(command: Command, terminal: Terminal): void {
    command
      .option("--json", "print a JSON array")
      .addHelpText("after", help)
      .action((flags: { readonly json?: true }) => listModels(flags.json === true, terminal));
  },
};

async function listModels(json: boolean, terminal: Terminal): Promise<void> {
  const { listCached } = await import("../../hub/index.js");
  const models = await listCached();
  if (json) {
    terminal.write(`${JSON.stringify(models)}\n`);
    return;
  }
  if (models.length === 0) {
    terminal.note("The cache holds no models; bitnet pull owner/repo downloads one");
    return;
  }
  const rows = models.map((model) => [
    visible(model.name),
    describeRevision(model),
    formatBytes(model.bytes),
    model.lastUsed?.slice(0, 10) ?? "-",
  ]);
  const table = createTextTable(
    [{ title: "name" }, { title: "revision" }, { title: "size", align: "right" }, { title: "last used" }],
    rows,
  );
  terminal.write(`${[table.head, ...rows.map((cells) => table.row(cells))].join("\n")}\n`);
}

function describeRevision({ revision, commit, unfinished }: ListedModel): string {
  const name = [revision, commit?.slice(0, 8)].filter((part) => part !== null && part !== undefined);
  return visible([...name, ...(unfinished ? ["unfinished"] : [])].join(" "));
}
