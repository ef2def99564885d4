import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { BitNetError, loadModel } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";

describe("a disposed model", () => {
  it("refuses every call with DISPOSED, and disposing again is fine", async () => {
    const model = await loadModel(starterPath, { threads: 2 });
    const writing = model.complete("Once upon a time", { maxTokens: 200, temperature: 0 });
    const outcome = writing.then(
      () => "finished",
      (error: unknown) => (error instanceof BitNetError ? error.code : error),
    );
    await model.dispose();
    await model.dispose();
    expect(await outcome).toBe("DISPOSED");
    await expect(model.complete("Once")).rejects.toThrow(expect.objectContaining({ code: "DISPOSED" }));
    expect(() => model.tokenize("x")).toThrow(expect.objectContaining({ code: "DISPOSED" }));
    expect(() => model.createSession()).toThrow(expect.objectContaining({ code: "DISPOSED" }));
  });

  it("frees its memory, even while references to it and its sessions exist", async () => {
    const script = `
      import { loadModel } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
      const settled = async () => {
        for (let i = 0; i < 5; i += 1) {
          globalThis.gc();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return process.memoryUsage().rss;
      };
      const models = [];
      const dispose = async () => {
        const model = await loadModel(${JSON.stringify(starterPath)}, { threads: 1 });
        const sessions = Array.from({ length: 12 }, () => model.createSession());
        for (const session of sessions) await session.evaluate(Array(256).fill(5));
        models.push({ model, sessions });
        await model.dispose();
      };
      await dispose();
      const before = await settled();
      for (let i = 0; i < 2; i += 1) await dispose();
      console.log(Math.round(((await settled()) - before) / 2 ** 20), models.length);
    `;
    const child = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    // Without output the script failed.
    const [, growthMiB = "no growth"] = /^(-?\d+) 3\n$/.exec(child.stdout) ?? [];
    // Each model holds about 30 MiB of weights and caches until it is disposed of.
    expect(Number(growthMiB), child.stderr).toBeLessThan(30);
  });
});
