import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BitNetError } from "#dist/errors.js";
import { blobPath, refPath, repoFolder, snapshotPath } from "#dist/hub/cache-layout.js";
import { executeRemoval, fetchModel, listCached, planRemoval } from "#dist/hub/index.js";
import { formatRemoteName, parseRemoteName, type RemoteName } from "#dist/hub/model-name.js";
import { readSettings } from "#dist/hub/settings.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bitnet-hub-fuzz-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const commit = "0123456789abcdef0123456789abcdef01234567";
const settings = readSettings({ HF_HOME: resolve("/cache") });
const nastyPart = fc.constantFrom(
  ...[
    "",
    ".",
    "..",
    "...",
    "/",
    "\\",
    "C:",
    "a:b",
    "@",
    "@@",
    "--",
    ".git",
    "%2e%2e",
    "%2F",
    "%00",
    "\0",
    "\n",
    " ",
    "~",
    "?x",
    "#x",
  ],
  ...[
    "owner",
    "repo",
    "m.gguf",
    "main",
    "refs",
    "é",
    "𝒳",
    "\u202e",
    "-",
    "_",
    "resolve",
    "blob",
    "https://",
    "huggingface.co",
  ],
);
const nameText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }).map((text) => `hf:${text}`),
  fc
    .array(fc.oneof(nastyPart, fc.string({ maxLength: 6 })), { maxLength: 9 })
    .map((parts) => `hf:${parts.join("/")}`),
  fc
    .array(fc.oneof(nastyPart, fc.constantFrom("/", "@")), { maxLength: 12 })
    .map((parts) => `hf:owner/repo${parts.join("")}`),
  fc.array(nastyPart, { maxLength: 9 }).map((parts) => `https://huggingface.co/${parts.join("/")}`),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
);

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && !/^\.\.(?=$|[/\\])/.test(way) && !isAbsolute(way);
}

describe("parseRemoteName", () => {
  it("reads any text as a name that stays inside the cache and formats to itself, or refuses it", () => {
    let read = 0;
    fc.assert(
      fc.property(nameText, (text) => {
        let name: RemoteName;
        try {
          name = parseRemoteName(text);
        } catch (error) {
          expect(error).toBeInstanceOf(BitNetError);
          expect((error as BitNetError).code).toBe("INVALID_ARGUMENT");
          return;
        }
        read += 1;
        const folder = repoFolder(settings, name);
        expect(dirname(folder)).toBe(name.kind === "hub" ? settings.hubFolder : settings.urlFolder);
        if (name.kind === "url") return;
        expect(parseRemoteName(formatRemoteName(name))).toEqual(name);
        const refs = join(folder, "refs");
        expect(isInside(refs, refPath(folder, name.revision))).toBe(true);
        const snapshot = snapshotPath(folder, commit);
        if (name.file !== undefined)
          expect(isInside(snapshot, snapshotPath(folder, commit, name.file))).toBe(true);
      }),
      { numRuns: 10_000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  it("blobs are files of their folder, for any name from a server", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), nastyPart), (etag) => {
        expect(dirname(blobPath("/cache/x", etag))).toBe(join("/cache/x", "blobs"));
      }),
      { numRuns: 5000 },
    );
  });
});

/** An entry of a cache: a path and its content. Some paths belong to the layout, others do not. */
const place = fc
  .tuple(
    fc.constantFrom(
      "models--owner--repo",
      "models--o--r",
      "models--x",
      "datasets--a--b",
      "models--a--b--c",
      ".locks",
      "version.txt",
    ),
    fc.constantFrom(
      "",
      "refs",
      "refs/main",
      "refs/pr/1",
      "snapshots",
      `snapshots/${commit}`,
      `snapshots/${commit}/m.gguf`,
      `snapshots/${commit}/a/b/m-i2_s.gguf`,
      `snapshots/${commit}/config.json`,
      `snapshots/${commit}/model.safetensors`,
      `snapshots/${commit}/model.safetensors.index.json`,
      `snapshots/${commit}/tokenizer.json`,
      "snapshots/no-commit/m.gguf",
      "blobs",
      "blobs/aaaa",
      "blobs/bbbb.bitnet-partial",
      "blobs/bbbb.bitnet-lock",
    ),
  )
  .map(([repo, path]) => (path === "" ? repo : `${repo}/${path}`));
const content = fc.oneof(
  fc.constantFrom(
    "",
    commit,
    `${commit}\n`,
    "../../../outside",
    "{",
    "null",
    '{"weight_map":{"a":"../x"}}',
    '{"weight_map":5}',
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
);
const thing = fc.oneof(
  { weight: 4, arbitrary: content.map((text) => ({ kind: "file" as const, text })) },
  { weight: 1, arbitrary: fc.constant({ kind: "folder" as const, text: "" }) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(
        "../../blobs/aaaa",
        "../blobs/aaaa",
        "/nowhere",
        "../../outside",
        ".",
        "..",
        "../..",
        "../../../../outside",
        "../../../../outside/precious",
        "loop",
      )
      .map((text) => ({ kind: "link" as const, text })),
  },
);

/** The files of a download. Half of the caches contain them, unless another entry blocks them. */
const orderly = [
  ["models--owner--repo/refs/main", { kind: "file", text: commit }],
  ["models--owner--repo/blobs/aaaa", { kind: "file", text: "GGUF" }],
  [`models--owner--repo/snapshots/${commit}/m.gguf`, { kind: "link", text: "../../blobs/aaaa" }],
] as const;

describe.skipIf(process.platform === "win32")("the cache", () => {
  it("may hold anything: it is listed, loaded from and removed from without a crash, and nothing outside is touched", async () => {
    const outcomes = new Map<string, number>();
    const count = (what: string): unknown => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place, thing), { minLength: 1, maxLength: 14 }),
        fc.constantFrom(
          "hf:owner/repo",
          "hf:owner/repo@main",
          "hf:owner/repo@refs/pr/1",
          "hf:owner/repo/m.gguf",
          "hf:owner/repo/a/b/m-i2_s.gguf@main",
          `hf:owner/repo@${commit}`,
          "hf:o/r",
        ),
        fc.boolean(),
        async (things, name, isOrderly) => {
          runs += 1;
          const home = join(root, String(runs));
          const outside = join(home, "outside");
          const environment = { HF_HOME: home, HF_HUB_OFFLINE: "1" };
          await mkdir(outside, { recursive: true });
          await writeFile(join(outside, "precious"), "precious");
          await mkdir(join(outside, commit));
          await writeFile(join(outside, commit, "m.gguf"), "precious");
          for (const [path, { kind, text }] of [...things, ...(isOrderly ? orderly : [])]) {
            const at = join(home, "hub", path);
            // An entry that conflicts with an existing entry is skipped.
            await mkdir(dirname(at), { recursive: true })
              .then(() =>
                kind === "file"
                  ? writeFile(at, text, { flag: "wx" })
                  : kind === "folder"
                    ? mkdir(at)
                    : symlink(text, at),
              )
              .catch(() => undefined);
          }
          for (const model of await listCached(environment))
            count(model.unfinished ? "unfinished" : "listed");
          for (const action of [
            () => fetchModel(name, { environment }),
            async () => executeRemoval(await planRemoval(name, environment)),
          ]) {
            try {
              await action();
              count("done");
            } catch (error) {
              if (!(error instanceof BitNetError)) throw error;
              count(error.code);
            }
          }
          await listCached(environment);
          expect(await readFile(join(outside, "precious"), "utf8")).toBe("precious");
          expect(await readFile(join(outside, commit, "m.gguf"), "utf8")).toBe("precious");
          await rm(home, { recursive: true, force: true });
        },
      ),
      { numRuns: 400 },
    );
    console.log(`caches of anything: ${[...outcomes].map(([what, times]) => `${what} ${times}`).join(", ")}`);
    for (const what of ["listed", "done", "FILE_NOT_FOUND"])
      expect(outcomes.get(what) ?? 0).toBeGreaterThan(0);
  });
});
