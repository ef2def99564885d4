// Packs the package as npm would publish it, and installs the tarball into an empty folder. Generates text
// there, compiles a TypeScript program against its types, and measures the code of a page. Anything missing
// from "files", "exports" or "dependencies" fails here, and anything over a limit of size.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "bitnet-package-"));
const shell = process.platform === "win32";

function run(command, args, cwd) {
  const result = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    shell,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(" ")} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

function folderBytes(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);
}

/** Every local file that the README links to must be in the package: npm shows the README with its links. */
function checkLinks(paths) {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const links = [...readme.matchAll(/\]\(([^)#]+)|(?:src|srcset)="([^"]+)"/g)].map(
    ([, link, image]) => link ?? image,
  );
  const missing = links.filter(
    (link) =>
      !/^https?:/.test(link) && !paths.has(link) && ![...paths].some((path) => path.startsWith(`${link}/`)),
  );
  if (missing.length > 0)
    throw new Error(`README.md links to files that the package lacks: ${missing.join(", ")}`);
}

/** The license texts of bundled code. The build writes them, and fails if one is missing. */
const licenseFiles = ["LICENSE", "dist/THIRD-PARTY-LICENSES.txt"];

function checkLicenses(paths) {
  const missing = licenseFiles.filter((file) => !paths.has(file));
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(", ")}`);
}

/** Every file that "exports" names must be in the package. */
function checkExports(paths) {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const files = Object.values(exports).flatMap((to) => (typeof to === "string" ? [to] : Object.values(to)));
  const missing = files.filter((file) => !paths.has(file.replace(/^\.\//, "")));
  if (missing.length > 0)
    throw new Error(`"exports" names files that the package lacks: ${missing.join(", ")}`);
}

/** Compiles a strict program without the DOM lib, and every declaration file that it reaches. */
function checkTypes() {
  writeFileSync(
    join(folder, "main.ts"),
    `import { createServer, loadModel, type Chat, type LoadOptions } from "bitnet-wasm";
     const options: LoadOptions = { threads: 2, engine: { kernelBuild: "simd128" } };
     await using model = await loadModel("model.gguf", options);
     const chat: Chat = model.chat({ system: "Be brief." });
     for await (const { text, usage } of chat.send("Hello")) console.log(text, usage?.generatedTokens);
     const response: Response = await createServer(model).fetch(new Request("http://localhost/health"));
     // @ts-expect-error No such option.
     console.log(response.status, await loadModel("model.gguf", { thread: 2 }));`,
  );
  const types = join(root, "node_modules", "@types");
  const compilerOptions = {
    target: "ES2022",
    lib: ["ES2022"],
    module: "NodeNext",
    types: ["node"],
    typeRoots: [types],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", folder], folder);
}

/** Maximum bytes and packages in node_modules of a user, with all dependencies. */
const maxInstalledBytes = 20_000_000;
const maxInstalledPackages = 14;

/** @returns how much an installation holds, in words. */
function checkInstalledSize() {
  const bytes = folderBytes(join(folder, "node_modules"));
  const record = JSON.parse(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8"));
  const count = Object.keys(record.packages).length;
  if (bytes > maxInstalledBytes)
    throw new Error(`an installation has ${bytes} bytes, over ${maxInstalledBytes}`);
  if (count > maxInstalledPackages)
    throw new Error(`an installation has ${count} packages, over ${maxInstalledPackages}`);
  return `${megabytes(bytes)} in ${count} packages`;
}

/** Maximum bytes that a browser downloads before a model, as web servers compress them. */
const maxBrowserBytes = 250_000;

/** Bundles a page for each way to load a model, with both kernel builds. @returns the sizes in words. */
async function checkBrowserSize() {
  const worker = join(folder, "node_modules", "bitnet-wasm", "dist", "worker-web.js");
  const sizes = [];
  for (const [name, files] of [
    ["loadModel", []],
    ["createWorkerModel", [readFileSync(worker)]],
  ]) {
    const input = join(folder, `${name}.js`);
    writeFileSync(input, `import { ${name} } from "bitnet-wasm"; globalThis.load = ${name};`);
    const bundle = await rolldown({ input, cwd: folder, platform: "browser", logLevel: "warn" });
    const { output } = await bundle.generate({ format: "esm", minify: true });
    await bundle.close();
    const code = [...output.map((chunk) => chunk.code), ...files];
    const bytes = code.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
    if (bytes > maxBrowserBytes)
      throw new Error(`a page with ${name} has ${bytes} bytes of compressed code, over ${maxBrowserBytes}`);
    sizes.push(`${name} ${Math.round(bytes / 1000)} kB`);
  }
  return sizes.join(", ");
}

try {
  const [packed] = JSON.parse(
    run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], root),
  );
  const stray = packed.files.filter(
    ({ path }) =>
      !/^(dist|models|docs|examples)\/|^training\/README\.md$|^(package\.json|[A-Z]+\.md|LICENSE)$/.test(
        path,
      ),
  );
  if (stray.length > 0) throw new Error(`the package holds ${stray.map(({ path }) => path).join(", ")}`);
  const paths = new Set(packed.files.map(({ path }) => path));
  checkLinks(paths);
  checkExports(paths);
  checkLicenses(paths);

  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  run(
    "npm",
    ["install", "--no-audit", "--no-fund", "--prefer-offline", join(folder, packed.filename)],
    folder,
  );
  writeFileSync(
    join(folder, "main.js"),
    `import { loadModel } from "bitnet-wasm";
     import { bitnet } from "bitnet-wasm/ai-sdk";
     const model = await loadModel();
     if (bitnet(model).specificationVersion !== "v3") throw new Error("no provider of the AI SDK");
     process.stdout.write(await model.complete("Once upon a time", { maxTokens: 8, temperature: 0 }));
     await model.dispose();`,
  );
  const text = run(process.execPath, ["main.js"], folder);
  if (text.trim() === "") throw new Error("the installed package wrote no text");
  checkTypes();
  console.log(`package: compressed code of a page: ${await checkBrowserSize()}`);
  console.log(
    `package: ${megabytes(packed.size)} packed, ${packed.entryCount} files; installed with its dependencies ` +
      checkInstalledSize(),
  );
} catch (error) {
  console.error(`package: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
