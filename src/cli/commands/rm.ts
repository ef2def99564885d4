import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import { isRemoteName } from "../../hub/model-name.js";
import type { CliCommand } from "../command.js";
import { canAsk, confirm } from "../confirm.js";
import type { Terminal } from "../terminal.js";
import { formatBytes } from "../units.js";
import { visible } from "../visible.js";

interface RmFlags {
  readonly yes?: true;
  readonly json?: true;
}

const help = `
Names are those of bitnet list. A repository (hf:owner/repo) is removed completely, with its unfinished downloads.
A file is removed from all revisions, or from one with @revision. Files that another revision shares stay.
--json prints { name, freedBytes, paths }.

Examples:
  bitnet rm hf:microsoft/bitnet-b1.58-2B-4T-gguf
  bitnet rm hf:owner/repo/file.gguf --yes`;

export const rm: CliCommand = {
  name: "rm",
  summary: "Remove a model from the cache",
  define(command: Command, terminal: Terminal): void {
    command
      .argument("<model>", "hf:owner/repo, hf:owner/repo/file.gguf or a URL")
      .option("-y, --yes", "do not ask")
      .option("--json", "print one JSON object")
      .addHelpText("after", help)
      .action((model: string, flags: RmFlags) => removeModel(model, flags, terminal));
  },
};

async function removeModel(model: string, flags: RmFlags, terminal: Terminal): Promise<void> {
  const { executeRemoval, planRemoval } = await import("../../hub/index.js");
  const name = isRemoteName(model) ? model : `hf:${model}`;
  const removal = await planRemoval(name);
  const what = `${visible(removal.name)} (${formatBytes(removal.freedBytes)})`;
  if (flags.yes !== true) {
    if (!canAsk()) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot ask whether to remove ${what}: standard input is not a terminal; --yes removes it without asking`,
      );
    }
    if (!(await confirm(`Remove ${what} from the cache?`, terminal))) {
      terminal.note("Nothing was removed");
      return;
    }
  }
  await executeRemoval(removal);
  terminal.write(
    flags.json === true ? `${JSON.stringify(removal)}\n` : `removed ${what.replace(/\)$/, " freed)")}\n`,
  );
}
