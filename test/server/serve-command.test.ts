import { get } from "node:http";
import { afterEach, expect, it } from "vitest";
import { finishCli, startCli, type CliResult } from "../support/run-cli.js";
import { until } from "./open-server.js";

/** A running `bitnet serve`. */
interface Serving {
  readonly url: string;
  /** Answers of /health between the address on stderr and "Listening" on stdout. */
  readonly early: ReadonlySet<string>;
  readonly stop: (signal: NodeJS.Signals) => void;
  readonly finished: Promise<CliResult>;
}

let kill: () => void = () => undefined;
afterEach(() => kill());

async function serve(...flags: string[]): Promise<Serving> {
  const child = startCli(["serve", "--port", "0", "--threads", "1", ...flags]);
  kill = () => void child.kill("SIGKILL");
  let [out, err] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (out += text.toString()));
  child.stderr.on("data", (text: Buffer) => (err += text.toString()));
  const finished = finishCli(child);
  const address = /http:\/\/\S+:\d+/;
  await until(() => address.test(err));
  const [url = ""] = address.exec(err) ?? [];
  const early = new Set<string>();
  while (!out.includes("\n")) {
    const response = await fetch(`${url}/health`);
    early.add(`${response.status} ${await response.text()}`);
  }
  expect(out).toBe(`Listening on ${url}\n`);
  return { url, early, stop: (signal) => void child.kill(signal), finished };
}

const secret = "The fox of Timbuktu";
const complete = (url: string, rest: object = {}): Promise<Response> =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    body: JSON.stringify({ prompt: secret, max_tokens: 200, ...rest }),
  });

it("listens on this machine only, logs requests without their content, and finishes a stream when it is stopped", async () => {
  const { url, early, stop, finished } = await serve();
  expect(new URL(url).hostname).toBe("127.0.0.1");
  for (const answer of early) expect(['503 {"status":"loading"}', '200 {"status":"ok"}']).toContain(answer);
  const response = await complete(url, { stream: true });
  stop("SIGTERM");
  expect(await response.text()).toMatch(/\[DONE\]\n\n$/);
  const { status, stderr } = await finished;
  expect(status).toBe(0);
  const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { path: "/v1/completions", status: 200, outcome: "written" },
  ]);
  expect(stderr).not.toContain("Timbuktu");
});

it("serves as not ready for the drain delay, and ends answers that take longer than the grace", async () => {
  const { url, stop, finished } = await serve("--drain-delay", "3600", "--grace", "0");
  stop("SIGTERM");
  const ready = async (): Promise<string> => (await fetch(`${url}/health/ready`)).text();
  await until(async () => (await ready()) === '{"status":"draining"}');
  expect((await complete(url, { max_tokens: 1 })).status).toBe(200);
  stop("SIGTERM");
  await finished;

  const short = await serve("--drain-delay", "0", "--grace", "0");
  const response = await complete(short.url, { stream: true, max_tokens: 400 });
  short.stop("SIGTERM");
  expect(await response.text().catch(String)).not.toContain("[DONE]");
  expect((await short.finished).status).toBe(0);
});

it("logs prompts on demand, and ends immediately after a second stop", async () => {
  const { url, stop, finished } = await serve("--log-prompts", "--timeout", "60");
  await (await complete(url, { max_tokens: 2 })).text();
  const response = await complete(url, { stream: true });
  stop("SIGINT");
  // The first signal must have arrived, or the second would count as the first.
  await until(async () => {
    try {
      await fetch(`${url}/health`, { headers: { Connection: "close" } });
      return false;
    } catch {
      return true;
    }
  });
  stop("SIGINT");
  await response.text().catch(() => undefined);
  expect((await finished).stderr).toContain("Timbuktu");
});

it("refuses a used address before it loads a model", async () => {
  const { url, stop, finished } = await serve("--no-log");
  await complete(url, { max_tokens: 1 });
  const second = startCli(["serve", "no-such-model.gguf", "--port", new URL(url).port]);
  const { status, stderr } = await finishCli(second);
  expect(status).toBe(2);
  expect(stderr).toContain("Cannot listen");
  stop("SIGTERM");
  expect((await finished).stderr).not.toContain("{");
});

it("refuses a wrong origin, key or name before it loads a model", async () => {
  for (const [flag, value, why] of [
    ["--cors", "app.example", "expected a scheme"],
    ["--api-key", "", "Invalid apiKey"],
    ["--allow-host", "http://box.example", "Invalid allowHosts"],
  ] as const) {
    const { status, stderr } = await finishCli(startCli(["serve", "no-such-model.gguf", flag, value]));
    expect([status, stderr]).toEqual([2, expect.stringContaining(why)]);
  }
});

it("warns if other machines can connect without a key", async () => {
  const { url, stop, finished } = await serve("--host", "0.0.0.0", "--allow-host", "Box.example");
  const ask = async (host: string): Promise<number> => {
    const { port } = new URL(url);
    return new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, path: "/health", headers: { host } }, ({ statusCode = 0 }) =>
        resolve(statusCode),
      ).on("error", reject);
    });
  };
  expect(await Promise.all(["box.example", "0.0.0.0", "evil.example"].map(ask))).toEqual([200, 200, 403]);
  stop("SIGTERM");
  expect((await finished).stderr).toContain("Warning: everybody who can reach 0.0.0.0");
});
