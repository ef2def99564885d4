import { readFile, rm, writeFile } from "node:fs/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { finishCli, mainScript, startCli } from "../support/run-cli.js";
import { makeWeatherModel, plainAnswer, weather } from "../support/weather-model.js";

interface ToolResult {
  readonly text: string;
  readonly isError: unknown;
  readonly structuredContent: unknown;
}

const schema = {
  type: "object",
  properties: { city: { enum: ["Ulm", "Bonn"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["city", "days"],
};
const folder = mkdtempSync(join(tmpdir(), "bitnet-mcp-"));
const path = join(folder, "weather.gguf");

describe("bitnet mcp with the SDK's client", () => {
  const client = new Client({ name: "test", version: "1.0.0" });
  let notes = "";
  beforeAll(async () => {
    await writeFile(path, (await makeWeatherModel()).bytes);
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [mainScript, "mcp", path, "-t", "1"],
      stderr: "pipe",
    });
    transport.stderr?.on("data", (text: Buffer) => (notes += text.toString()));
    // Text on standard output that is not protocol is an error of the transport.
    transport.onerror = (error): void => {
      throw error;
    };
    await client.connect(transport);
  });
  afterAll(async () => {
    await client.close();
    await rm(folder, { recursive: true });
  });

  async function call(name: string, given: Record<string, unknown>): Promise<ToolResult> {
    const { content, isError, structuredContent } = await client.callTool({ name, arguments: given });
    const [first] = content as { readonly text: string }[];
    return { text: first?.text ?? "", isError, structuredContent };
  }

  it("names itself, its version and its tools", async () => {
    const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
    expect(client.getServerVersion()).toMatchObject({ name: "bitnet-wasm", version });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["generate", "complete_json", "embed"]);
    expect(tools[0]?.inputSchema.required).toEqual(["prompt"]);
  });

  it("generate answers, and limits the answer", async () => {
    expect(await call("generate", { prompt: "What is the weather?" })).toMatchObject({ text: plainAnswer });
    const short = await call("generate", { prompt: "The weather?", system: "Be brief.", maxTokens: 2 });
    expect(short.text).toBe("Rain in");
  });

  it("complete_json keeps the schema, and says that an answer was cut", async () => {
    const whole = await call("complete_json", { prompt: "The weather in JSON", schema });
    expect(JSON.parse(whole.text)).toEqual(weather);
    const cut = await call("complete_json", { prompt: "The weather in JSON", schema, maxTokens: 2 });
    expect(cut.isError).toBe(true);
    expect(cut.text).toContain("maxTokens");
  });

  it("embed gives the library's vectors", async () => {
    await using model = await loadModel(path, { threads: 1 });
    const texts = ["Rain.", "Sun."];
    const { structuredContent } = await call("embed", { texts });
    const { embeddings } = structuredContent as { embeddings: number[][] };
    expect(embeddings.map((vector) => Float32Array.from(vector))).toEqual(await model.embed(texts));
  });

  it("wrong arguments are errors that name them, and the server goes on", async () => {
    const unsupported = await call("complete_json", { prompt: "x", schema: { type: "wrong" } });
    expect(unsupported).toMatchObject({ isError: true, text: expect.stringContaining("type") as string });
    const missing = await call("generate", {});
    expect(missing).toMatchObject({ isError: true, text: expect.stringContaining("prompt") as string });
    expect((await call("generate", { prompt: "The weather?" })).text).toBe(plainAnswer);
    expect(notes).toBe("");
  });
});

it("ends with its input, and writes nothing without a request", async () => {
  const child = startCli(["mcp", "-t", "1"]);
  child.stdin.end();
  expect(await finishCli(child)).toEqual({ stdout: "", stderr: "", status: 0 });
});

it("a missing package is named with the command that installs it", async () => {
  // A loader that does not find the package.
  const hide = `export async function resolve(name, context, next) {
    if (name.startsWith("@modelcontextprotocol/")) throw Object.assign(new Error(name), { code: "ERR_MODULE_NOT_FOUND" });
    return next(name, context);
  }`;
  const register = `import { register } from "node:module"; register("data:text/javascript,${encodeURIComponent(hide)}");`;
  const child = startCli(["mcp"], {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(register)}`,
  });
  child.stdin.end();
  const { stdout, stderr, status } = await finishCli(child);
  expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
  expect(stderr).toContain("npm install @modelcontextprotocol/sdk");
});
