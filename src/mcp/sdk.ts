import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { BitNetError } from "../errors.js";

/** The classes of MCP's own package that are used here. */
export interface McpSdk {
  readonly McpServer: typeof McpServer;
  readonly StdioServerTransport: typeof StdioServerTransport;
}

/** An optional package: only users of `bitnet mcp` install it. @throws BitNetError FILE_NOT_FOUND. */
export async function importMcpSdk(): Promise<McpSdk> {
  try {
    const [server, stdio] = await Promise.all([
      import("@modelcontextprotocol/sdk/server/mcp.js"),
      import("@modelcontextprotocol/sdk/server/stdio.js"),
    ]);
    return { McpServer: server.McpServer, StdioServerTransport: stdio.StdioServerTransport };
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new BitNetError(
      "FILE_NOT_FOUND",
      "Cannot serve MCP: it needs a package that is not installed; run: npm install @modelcontextprotocol/sdk",
      { cause },
    );
  }
}
