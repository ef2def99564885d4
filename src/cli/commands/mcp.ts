import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { addFlags, expertFlags, loadFlags } from "../library-flags.js";
import { openModel, readLoadOptions } from "../open-model.js";
import { packageVersion } from "../package-version.js";
import type { Terminal } from "../terminal.js";

const help = `
Serves the Model Context Protocol over standard input and output, for programs that start their tools themselves. The
tools are generate, complete_json (JSON by a schema) and embed. It needs the package @modelcontextprotocol/sdk.

A program's settings:
  { "command": "npx", "args": ["-y", "-p", "bitnet-wasm", "-p", "@modelcontextprotocol/sdk", "bitnet-wasm", "mcp"] }

Examples:
  bitnet mcp
  bitnet mcp hf:owner/repo -t 4`;

export const mcp: CliCommand = {
  name: "mcp",
  summary: "Offer a model to MCP clients",
  define(command: Command, terminal: Terminal): void {
    command.argument(
      "[model]",
      "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
    );
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText("after", help)
      .action((path: string | undefined, flags: Readonly<Record<string, unknown>>) =>
        serveMcp(path, flags, terminal),
      );
  },
};

async function serveMcp(
  path: string | undefined,
  flags: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<void> {
  // Imported here, so that other commands start faster.
  const [{ importMcpSdk }, { createMcpServer }] = await Promise.all([
    import("../../mcp/sdk.js"),
    import("../../mcp/create-mcp-server.js"),
  ]);
  // Before the model, which can take long to load.
  const sdk = await importMcpSdk();
  const { model } = await openModel(path, readLoadOptions(flags), terminal);
  const server = createMcpServer(sdk, model, packageVersion());
  try {
    // The client ends the connection by closing our input.
    const ended = new Promise<void>((resolve) => {
      process.stdin.once("end", () => resolve());
      terminal.signal.addEventListener("abort", () => resolve(), { once: true });
      if (terminal.signal.aborted) resolve();
    });
    await server.connect(new sdk.StdioServerTransport());
    await ended;
  } finally {
    await server.close();
    await model.dispose();
  }
  // Ctrl-C is a normal end too.
  terminal.succeed();
}
