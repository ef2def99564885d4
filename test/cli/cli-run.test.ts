import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { starterPath } from "../support/golden-path.js";
import { finishCli, runCli, startCli } from "../support/run-cli.js";

const prompt = "Once upon a time";
const greedy = ["run", starterPath, "-p", prompt, "--temp", "0"] as const;

interface TokenEntry {
  readonly tokenId: number;
  readonly logprob: number;
  readonly topLogprobs?: readonly { readonly tokenId: number; readonly logprob: number }[];
}

interface RunJson {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly finishReason: string;
  readonly timings: Readonly<Record<string, number>>;
  readonly logprobs?: readonly TokenEntry[];
}

async function runJson(args: readonly string[], input = ""): Promise<RunJson> {
  const { stdout, stderr, status } = await runCli(["run", starterPath, "--json", ...args], input);
  expect([stderr, status]).toEqual(["", 0]);
  expect(stdout).toMatch(/^\{[^\n]*\}\n$/);
  return JSON.parse(stdout) as RunJson;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-cli-run-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("bitnet run", () => {
  it("prints prompt and continuation as one text, and statistics without escape sequences elsewhere", async () => {
    const { stdout, stderr, status } = await runCli([...greedy, "-n", "6"]);
    expect([stdout, status]).toEqual([`${prompt} there was a great many years\n`, 0]);
    expect(stderr).toMatch(
      /^\nload +\d+ ms .*threads.*\nprompt .* 5 tokens, .*tokens\/s\ngeneration .* 6 tokens, .*tokens\/s.*\n$/,
    );
    expect(stderr).not.toContain("\u001b");
  });

  it("--json has exactly the documented keys", async () => {
    const result = await runJson(["-p", prompt, "-n", "6", "--temp", "0"]);
    expect(Object.keys(result)).toEqual([
      "text",
      "tokenIds",
      "promptTokens",
      "generatedTokens",
      "finishReason",
      "timings",
    ]);
    expect(Object.keys(result.timings)).toEqual(["loadMs", "promptMs", "generationMs", "tokensPerSecond"]);
    for (const value of Object.values(result.timings)) expect(value).toBeGreaterThan(0);
    expect({ ...result, timings: undefined }).toEqual({
      text: " there was a great many years",
      tokenIds: [459, 309, 258, 599, 868, 1176],
      promptTokens: 5,
      generatedTokens: 6,
      finishReason: "length",
    });
  });

  it("gives the same tokens with any number of threads and either build", async () => {
    const args = ["-p", prompt, "-n", "48", "--temp", "0"];
    const first = await runJson([...args, "--threads", "1"]);
    expect(first.tokenIds.length).toBe(48);
    for (const more of [
      ["--threads", "2"],
      ["--threads", "3"],
      ["--kernel-build", "simd128"],
      ["--dot-form", "i8"],
    ]) {
      expect((await runJson([...args, ...more])).tokenIds).toEqual(first.tokenIds);
    }
  });

  it("writes the same with and without speculation, and says how drafts fared", async () => {
    const text = "the mill, the mill, the mill, the mill,";
    const args = ["-p", text, "-n", "40", "--temp", "0", "--frequency-penalty", "-2"];
    const plain = await runJson([...args, "--speculation", "off"]);
    for (const mode of ["auto", "prompt-lookup"])
      expect((await runJson([...args, "--speculation", mode])).tokenIds).toEqual(plain.tokenIds);
    const { stderr } = await runCli(["run", ...args, "--speculation", "prompt-lookup"]);
    expect(stderr).toMatch(/^generation .*; [1-9]\d* of \d+ drafted tokens accepted$/m);
  });

  it("--stream writes the same, and first estimates the speed", async () => {
    const whole = await runCli([...greedy, "-n", "20"]);
    const flags = ["-n", "20", "-c", "64", "--stream", "--stream-memory", "3MB"];
    const streamed = await runCli([...greedy, ...flags]);
    expect([streamed.status, streamed.stdout]).toEqual([0, whole.stdout]);
    expect(streamed.stderr).toMatch(
      /^about \S+ tokens\/s: \S+ MB of \S+ MB \(\d+ layers\) are read from disk for each token, at .*\/s\n/,
    );
    const alone = await runCli([...greedy, "--stream-memory", "2GB"]);
    expect([alone.status, alone.stderr]).toEqual([2, expect.stringContaining("Invalid --stream-memory")]);
    const wrong = await runCli([...greedy, "--stream", "--stream-memory", "much"]);
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("such as 8GB")]);
  });

  it("prints the seed that repeats a text", async () => {
    const first = await runCli(["run", "-p", prompt, "-n", "24"]);
    const seed = /^seed +(\d+) /m.exec(first.stderr)?.[1] ?? expect.fail(first.stderr);
    const second = await runCli(["run", "-p", prompt, "-n", "24", "--seed", seed]);
    expect(second.stdout).toBe(first.stdout);
  });

  it("ends before a stop text, whichever comes first", async () => {
    const args = ["-p", prompt, "--temp", "0", "--stop", "years", "--stop", " great"];
    const { text, finishReason } = await runJson(args);
    expect([text, finishReason]).toEqual([" there was a", "stop"]);
  });

  it("takes the prompt from a pipe or a file, without its last line break", async () => {
    const args = ["-n", "6", "--temp", "0"];
    const file = join(folder, "prompt.txt");
    await writeFile(file, `${prompt}\r\n`);
    const expected = (await runJson([...args, "-p", prompt])).tokenIds;
    expect((await runJson(args, `${prompt}\n`)).tokenIds).toEqual(expected);
    expect((await runJson([...args, "-f", file], "not this")).tokenIds).toEqual(expected);
  });

  it("--no-echo leaves the prompt out", async () => {
    expect((await runCli([...greedy, "-n", "3", "--no-echo"])).stdout).toBe(" there was a\n");
  });

  it("fits its default length and -1 into the context", async () => {
    const fits = await runJson(["-p", prompt, "--temp", "0", "-c", "20"]);
    expect([fits.generatedTokens, fits.finishReason]).toEqual([16, "length"]);
    const filled = await runJson(["-p", prompt, "--temp", "0", "-c", "20", "-n", "-1"]);
    expect(filled.tokenIds).toEqual(fits.tokenIds);
  });

  it("ends by length where the context is full, however many tokens were asked for", async () => {
    const { stdout, stderr, status } = await runCli([...greedy, "-n", "40", "-c", "10"]);
    expect([stdout, status]).toEqual([`${prompt} there was a great many years\n`, 0]);
    expect(stderr).toContain("ended by length");
    const json = await runJson(["-p", prompt, "--temp", "0", "-n", "40", "-c", "10"]);
    expect(json).toMatchObject({ generatedTokens: 6, finishReason: "length" });
  });
});

describe("bitnet run, options by token and by schema", () => {
  const args = ["-p", prompt, "--temp", "0"];

  it("--logit-bias moves single tokens, and may be given several times", async () => {
    const [first] = (await runJson([...args, "-n", "1"])).tokenIds;
    const biases = ["--logit-bias", `${first}=-inf`, "--logit-bias", "300=1e3"];
    expect((await runJson([...args, "-n", "3", ...biases])).tokenIds).toEqual([300, 300, 300]);
    const forbidden = await runJson([...args, "-n", "8", "--logit-bias", `${first}=-inf`]);
    expect(forbidden.tokenIds).not.toContain(first);
  });

  it("--logprobs and --top-logprobs add one entry per token to --json", async () => {
    const { tokenIds, logprobs = [] } = await runJson([...args, "-n", "4", "--top-logprobs", "2"]);
    expect(logprobs.map(({ tokenId }) => tokenId)).toEqual(tokenIds);
    for (const { tokenId, logprob, topLogprobs = [] } of logprobs) {
      expect(logprob).toBeLessThan(0);
      // The sampling is greedy, so the token is the likeliest.
      expect(topLogprobs).toHaveLength(2);
      expect(topLogprobs[0]).toEqual({ tokenId, logprob });
    }
    const plain = await runJson([...args, "-n", "4", "--logprobs"]);
    expect(plain.logprobs).toEqual(logprobs.map(({ tokenId, logprob }) => ({ tokenId, logprob })));
  });

  it("--json-schema takes a schema as typed or from a file", async () => {
    const schema = {
      type: "object",
      properties: { animal: { enum: ["fox", "king"] } },
      required: ["animal"],
    };
    const typed = await runJson([...args, "--json-schema", JSON.stringify(schema)]);
    expect(["fox", "king"]).toContain((JSON.parse(typed.text) as { animal: string }).animal);
    const file = join(folder, "schema.json");
    await writeFile(file, JSON.stringify(schema));
    expect((await runJson([...args, "--json-schema", file])).tokenIds).toEqual(typed.tokenIds);
  });

  it.each([
    [["--logprobs"], "--logprobs and --top-logprobs need --json"],
    [["--json", "--top-logprobs", "21"], "Invalid --top-logprobs: 21 (expected a whole number from 0 to 20)"],
    [["--logit-bias", "fox=1"], "Expected a token id and a number"],
    [["--logit-bias", "7=much"], "Expected a number"],
    [["--json-schema", "{"], "Expected JSON"],
    [["--json-schema", "no-such-schema.json"], "no-such-schema.json"],
    [["--json-schema", "false"], "no text fits"],
    [["--min-p", "2"], "Invalid --min-p: 2 (expected a number from 0 to 1)"],
  ])("refuses %j with one line and status 2", async (flags, message) => {
    const { stdout, stderr, status } = await runCli(["run", ...args, ...flags]);
    expect([flags.includes("--json") || stdout === "", status]).toEqual([true, 2]);
    expect(stderr).toContain(message);
  });
});

/** Waits until the model writes, then interrupts. */
async function interrupt(args: readonly string[], act: (child: ReturnType<typeof startCli>) => void) {
  const child = startCli(args);
  const finished = finishCli(child);
  await once(child.stdout, "data");
  act(child);
  return finished;
}

// Windows has no signals.
describe.skipIf(process.platform === "win32")("bitnet run, stopped", () => {
  it("by Ctrl-C ends its text with a line break and status 130", async () => {
    const { stdout, stderr, status } = await interrupt([...greedy, "-n", "-1"], (child) =>
      child.kill("SIGINT"),
    );
    expect(status).toBe(130);
    expect(stdout).toMatch(/^Once upon a time.*\n$/s);
    expect(stderr).toMatch(/^$|^\nload .*ended by abort\n$/s);
  });

  it("by Ctrl-C while it waits for a prompt has status 130", async () => {
    const child = startCli(["run"]);
    const finished = finishCli(child);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    child.kill("SIGINT");
    expect(await finished).toEqual({ stdout: "", stderr: "", status: 130 });
  });

  it("by the end of its reader is quiet", async () => {
    const { stderr, status } = await interrupt([...greedy, "-n", "-1"], (child) => child.stdout.destroy());
    expect([stderr, status]).toEqual(["", 0]);
  });
});
