// Continue's command line, without a terminal.
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { question } from "./weather.mjs";

export async function chat({ url, key, model }) {
  const home = mkdtempSync(join(tmpdir(), "continue-"));
  const config = join(home, "config.yaml");
  writeFileSync(
    config,
    JSON.stringify({
      name: "local",
      version: "1.0.0",
      schema: "v1",
      models: [
        { name: "local", provider: "openai", model, apiBase: `${url}/v1`, apiKey: key, roles: ["chat"] },
      ],
    }),
  );
  const args = [
    join(process.cwd(), "node_modules/@continuedev/cli/dist/cn.js"),
    "-p",
    question,
    "--config",
    config,
  ];
  const env = { ...process.env, HOME: home, CONTINUE_GLOBAL_DIR: home, CONTINUE_TELEMETRY_ENABLED: "0" };
  return execFileSync(process.execPath, args, {
    cwd: home,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
