import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseModel } from "#dist/hub/choose-files.js";
import { formatRemoteName, isRemoteName, parseRemoteName } from "#dist/hub/model-name.js";
import { readSettings } from "#dist/hub/settings.js";

const hub = (repo: string, file: string | undefined, revision: string): object => ({
  kind: "hub",
  repo,
  file,
  revision,
});

describe("parseRemoteName", () => {
  it.each<[string, object]>([
    ["hf:owner/repo", hub("owner/repo", undefined, "main")],
    ["HF:owner/repo", hub("owner/repo", undefined, "main")],
    ["hf:o/r", hub("o/r", undefined, "main")],
    ["hf:microsoft/bitnet-b1.58-2B-4T-gguf", hub("microsoft/bitnet-b1.58-2B-4T-gguf", undefined, "main")],
    ["hf:owner/repo/m.gguf", hub("owner/repo", "m.gguf", "main")],
    ["hf:owner/repo/a b/ü.gguf", hub("owner/repo", "a b/ü.gguf", "main")],
    ["hf:owner/repo@v1.0", hub("owner/repo", undefined, "v1.0")],
    ["hf:owner/repo/m.gguf@refs/pr/1", hub("owner/repo", "m.gguf", "refs/pr/1")],
    ["hf:owner/repo@feature/x", hub("owner/repo", undefined, "feature/x")],
    ["hf:owner/repo/a@b.gguf@main", hub("owner/repo", "a@b.gguf", "main")],
    ["https://huggingface.co/owner/repo", hub("owner/repo", undefined, "main")],
    ["https://huggingface.co/owner/repo/", hub("owner/repo", undefined, "main")],
    ["https://hf.co/owner/repo/tree/v1", hub("owner/repo", undefined, "v1")],
    ["https://huggingface.co/owner/repo/blob/main/a/m.gguf", hub("owner/repo", "a/m.gguf", "main")],
    [
      "https://huggingface.co/o/r/resolve/refs%2Fpr%2F1/m.gguf?download=true#x",
      hub("o/r", "m.gguf", "refs/pr/1"),
    ],
    ["https://huggingface.co/datasets/owner", { kind: "url", url: "https://huggingface.co/datasets/owner" }],
    [
      "https://huggingface.co/owner/repo/commits/main",
      { kind: "url", url: "https://huggingface.co/owner/repo/commits/main" },
    ],
    ["HTTPS://Example.com/m.gguf#part", { kind: "url", url: "https://example.com/m.gguf" }],
  ])("reads %s", (text, expected) => {
    expect(parseRemoteName(text)).toEqual(expected);
  });

  it("reads addresses of a mirror, also below a path", () => {
    const mirror = "http://mirror.local:8080/hf";
    expect(parseRemoteName(`${mirror}/o/r/resolve/main/m.gguf`, mirror)).toEqual(
      hub("o/r", "m.gguf", "main"),
    );
    expect(parseRemoteName("http://mirror.local:8080/o/r", mirror)).toMatchObject({ kind: "url" });
    expect(parseRemoteName("http://mirror.local:8080/hfx/o/r", mirror)).toMatchObject({ kind: "url" });
  });

  it.each<[string, RegExp]>([
    ["hf:", /"" cannot be an owner|no repository/],
    ["hf:owner", /no repository/],
    ["hf:/repo", /"" cannot be an owner/],
    ["hf://owner/repo", /"" cannot be an owner/],
    ["hf:owner/", /"" cannot be an owner/],
    ["hf:owner/repo/", /"" cannot be a part of a path/],
    ["hf:owner/repo//m.gguf", /"" cannot be a part/],
    ["hf:owner/repo/../m.gguf", /"\.\." cannot be a part/],
    ["hf:owner/repo/./m.gguf", /"\." cannot be a part/],
    ["hf:owner/repo/a\\b.gguf", /cannot be a part/],
    ["hf:owner/repo/C:x.gguf", /cannot be a part/],
    ["hf:owner/repo/a\nb", /cannot be a part/],
    ["hf:owner/repo@", /"" cannot be a branch/],
    ["hf:owner/repo@../main", /cannot be a branch/],
    ["hf:owner/repo@a//b", /cannot be a branch/],
    ["hf:owner/repo@a..b", /cannot be a branch/],
    ["hf:owner/repo@a b", /cannot be a branch/],
    ["hf:owner/repo@-x", /cannot be a branch/],
    ["hf:owner/repo@x.lock", /cannot be a branch/],
    ["hf:own er/repo", /"own er" cannot be an owner/],
    ["hf:own--er/repo", /"own--er" cannot/],
    ["hf:owner/re..po", /"re\.\.po" cannot/],
    ["hf:owner/-repo", /"-repo" cannot/],
    ["hf:owner/repo.", /"repo\." cannot/],
    ["hf:owner/repo.git", /"repo\.git" cannot/],
    [`hf:${"o".repeat(97)}/repo`, /cannot be an owner/],
    [`hf:owner/repo/${"x".repeat(2000)}`, /longer than 1024/],
    ["https://", /not a URL/],
    ["https://huggingface.co/owner/re%zz", /invalid percent encoding/],
    ["https://huggingface.co/owner/repo/resolve/main/..%2f..%2fx", /cannot be a part/],
  ])("refuses %s", (text, message) => {
    expect(() => parseRemoteName(text)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) }),
    );
  });

  it("refuses a password in a URL without repeating it", () => {
    const parse = (): unknown => parseRemoteName("https://me:secret@example.com/m.gguf");
    expect(parse).toThrow(/user name or password/);
    expect(parse).not.toThrow(/secret/);
  });

  it("formats the names that it reads, without a query", () => {
    for (const text of ["hf:o/r", "hf:o/r/m.gguf", "hf:o/r/d/m.gguf@refs/pr/1", "hf:o/r/a@b.gguf@main"]) {
      expect(formatRemoteName(parseRemoteName(text))).toBe(text);
    }
    expect(formatRemoteName(parseRemoteName("https://a.b/m.gguf?key=1"))).toBe("https://a.b/m.gguf?…");
  });

  it("is not asked about a path", () => {
    for (const text of ["hf:x", "HF:", "http://x", "https://x"]) expect(isRemoteName(text)).toBe(true);
    for (const text of ["hf", "../unit/hf:x", "C:/x", "file:///x", "https:/x", "httpx://", "", "a.gguf"]) {
      expect(isRemoteName(text)).toBe(false);
    }
  });
});

describe("readSettings", () => {
  const cache = join(homedir(), ".cache", "huggingface");
  it("has the defaults of Hugging Face's tools, and ignores empty variables", () => {
    const defaults = {
      endpoint: "https://huggingface.co",
      token: undefined,
      hubFolder: join(cache, "hub"),
      urlFolder: join(cache, "bitnet-wasm"),
      offline: false,
    };
    expect(readSettings({})).toEqual(defaults);
    expect(readSettings({ HF_HOME: "", HF_ENDPOINT: " ", HF_TOKEN: "\n", HF_HUB_CACHE: "" })).toEqual(
      defaults,
    );
  });

  it("follows their variables in their order", () => {
    const home = { HF_HOME: "/h" };
    expect(readSettings({ XDG_CACHE_HOME: "/x" }).hubFolder).toBe(resolve("/x/huggingface/hub"));
    expect(readSettings({ ...home, XDG_CACHE_HOME: "/x" }).hubFolder).toBe(resolve("/h/hub"));
    expect(readSettings({ ...home, HUGGINGFACE_HUB_CACHE: "/old" }).hubFolder).toBe(resolve("/old"));
    expect(readSettings({ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }).hubFolder).toBe(
      resolve("/new"),
    );
    expect(readSettings({ HF_HOME: "~/models" }).urlFolder).toBe(join(homedir(), "models", "bitnet-wasm"));
    expect(readSettings({ HF_ENDPOINT: "https://mirror.example/hf/" }).endpoint).toBe(
      "https://mirror.example/hf",
    );
    expect(readSettings({ HF_TOKEN: " hf_x\n" }).token).toBe("hf_x");
    expect(readSettings({ HF_HUB_OFFLINE: "1" }).offline).toBe(true);
    expect(readSettings({ HF_HUB_OFFLINE: "0" }).offline).toBe(false);
  });

  it.each(["huggingface.co", "ftp://x", "https://x?y", "https://me:secret@x"])(
    "refuses the endpoint %s",
    (text) => {
      const read = (): unknown => readSettings({ HF_ENDPOINT: text });
      expect(read).toThrow(/Invalid HF_ENDPOINT/);
      expect(read).not.toThrow(/secret/);
    },
  );
});

describe("chooseModel", () => {
  const choose = (...paths: string[]): unknown => chooseModel(paths.map((path) => ({ path })));
  it("knows I2_S by its own name", () => {
    expect(choose("xi2_sx.gguf", "y.gguf")).toMatchObject({ kind: "ambiguous" });
    expect(choose("m.I2_S.gguf", "y.gguf")).toMatchObject({ kind: "gguf", files: [{ path: "m.I2_S.gguf" }] });
    expect(choose("i2_s/m.gguf", "y.gguf")).toMatchObject({ kind: "gguf", files: [{ path: "i2_s/m.gguf" }] });
  });
  it("takes the parts of a split model for one model", () => {
    const parts = [1, 2, 3].map((part) => `f/m-0000${part}-of-00003.gguf`);
    const whole = { kind: "gguf", files: parts.map((path) => ({ path })) };
    expect(choose("README.md", ...parts.toReversed())).toEqual(whole);
    expect(choose(...parts, "y.gguf")).toEqual({
      kind: "ambiguous",
      files: [{ path: parts[0] }, { path: "y.gguf" }],
    });
    expect(choose(...parts.slice(1))).toEqual({ kind: "none" });
  });
  it("takes the configuration of pooling with a checkpoint", () => {
    const paths = ["config.json", "model.safetensors", "modules.json", "1_Pooling/config.json"];
    expect(choose(...paths, "2_Dense/config.json")).toMatchObject({ files: paths.map((path) => ({ path })) });
  });
  it("accepts a checkpoint only in the top folder", () => {
    expect(choose("a/config.json", "a/model.safetensors")).toEqual({ kind: "none" });
    expect(choose("config.json", "model.safetensors", "x.bin")).toMatchObject({
      kind: "checkpoint",
      files: [{ path: "config.json" }, { path: "model.safetensors" }],
    });
  });
});
