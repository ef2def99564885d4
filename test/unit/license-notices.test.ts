import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
// @ts-expect-error A script has no types.
import * as script from "../../scripts/license-notices.mjs";

const { licenseNotices, packageFolder } = script as {
  readonly licenseNotices: (root: string, ids: readonly string[]) => string;
  readonly packageFolder: (id: string) => string | undefined;
};
const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("packageFolder finds the package of a module", () => {
  expect(packageFolder("/a/node_modules/hono/dist/index.js")).toBe("/a/node_modules/hono");
  expect(packageFolder("/a/node_modules/@x/y/z.js")).toBe("/a/node_modules/@x/y");
  expect(packageFolder("/a/node_modules/b/node_modules/@x/y/z.js")).toBe(
    "/a/node_modules/b/node_modules/@x/y",
  );
  expect(packageFolder("C:\\a\\node_modules\\@x\\y\\z.js")).toBe("C:\\a\\node_modules\\@x\\y");
  expect(packageFolder("/a/dist/index.js")).toBeUndefined();
  expect(packageFolder("\0rolldown/runtime.js")).toBeUndefined();
});

test("the package has the license texts of all code that its files contain", () => {
  const notices = read("dist/THIRD-PARTY-LICENSES.txt");
  for (const name of ["@huggingface/jinja", "@assemblyscript/loader", "assemblyscript"])
    expect(notices).toContain(`\n${name} ${JSON.parse(read(`node_modules/${name}/package.json`)).version} (`);
  for (const file of ["@huggingface/jinja/LICENSE", "assemblyscript/LICENSE", "assemblyscript/NOTICE"])
    expect(notices).toContain(read(`node_modules/${file}`).trim());
});

test.each(["dist/worker.js", "dist/worker-web.js"])("%s names each package that it contains", (file) => {
  const [comment] = read(file).split("\n");
  const names = Array.from(comment?.matchAll(/([\w@/-]+) \d+\.\d+\.\d+ \(/g) ?? [], ([, name]) => name);
  expect(names).toEqual(["@assemblyscript/loader", "@huggingface/jinja"]);
});

test("a bundled package without a license text is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "bitnet-notices-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const bare = join(folder, "node_modules", "bare");
  mkdirSync(bare, { recursive: true });
  writeFileSync(join(bare, "package.json"), `{ "name": "bare", "version": "1.0.0", "license": "MIT" }`);
  expect(() => licenseNotices(root, [join(bare, "index.js")])).toThrow(/^bare is inside a file of dist/);
  writeFileSync(join(bare, "LICENSE.md"), "Do what you like.");
  expect(licenseNotices(root, [join(bare, "index.js")])).toContain("bare 1.0.0 (MIT)");
});
