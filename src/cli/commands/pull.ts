import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import { isRemoteName } from "../../hub/model-name.js";
import type { CliCommand } from "../command.js";
import { fetchWithBar } from "../local-model.js";
import type { Terminal } from "../terminal.js";
import { formatBytes, formatMs } from "../units.js";
import { visible } from "../visible.js";

interface PullFlags {
  readonly revision?: string;
  readonly json?: true;
}

const help = `
A model is a file of a repository (owner/repo/file.gguf), a repository (owner/repo), or the URL of a file. A repository
means its only GGUF file, else its only I2_S file, else its checkpoint. "hf:" before the name is optional. @revision
after it names a branch, a tag or a commit. An earlier download is updated if the hub has a newer version.
An unfinished download is resumed.
Prints the path in the cache. --json prints { name, path, commit, bytes, transferredBytes, files }.

Environment: HF_TOKEN is the token for private and gated models, HF_ENDPOINT a mirror, HF_HUB_CACHE or HF_HOME
another cache.

Examples:
  bitnet pull microsoft/bitnet-b1.58-2B-4T-gguf
  bitnet run hf:microsoft/bitnet-b1.58-2B-4T-gguf -p "The hub is"`;

export const pull: CliCommand = {
  name: "pull",
  summary: "Download a model into the cache",
  define(command: Command, terminal: Terminal): void {
    command
      .argument("<model>", "owner/repo, owner/repo/file.gguf or a URL")
      .option("--revision <name>", "a branch, a tag or a commit (default: main)")
      .option("--json", "print one JSON object")
      .addHelpText("after", help)
      .action((model: string, flags: PullFlags) => pullModel(model, flags, terminal));
  },
};

async function pullModel(model: string, flags: PullFlags, terminal: Terminal): Promise<void> {
  const name = withRevision(isRemoteName(model) ? model : `hf:${model}`, flags.revision);
  const startedMs = performance.now();
  const fetched = await fetchWithBar(name, { refresh: true }, terminal);
  if (flags.json === true) {
    terminal.write(`${JSON.stringify(fetched)}\n`);
    return;
  }
  const { bytes, transferredBytes, path } = fetched;
  const how =
    transferredBytes === 0
      ? "up to date"
      : `${formatBytes(transferredBytes)} downloaded in ${formatMs(performance.now() - startedMs)}`;
  terminal.note(`${visible(fetched.name)}: ${formatBytes(bytes)}, ${how}`);
  terminal.write(`${path}\n`);
}

function withRevision(name: string, revision: string | undefined): string {
  if (revision === undefined) return name;
  if (/^hf:/i.test(name) && !name.includes("@")) return `${name}@${revision}`;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid --revision: "${name}" ${/^hf:/i.test(name) ? "already names a revision" : "is a URL, which has no revisions"}`,
  );
}
