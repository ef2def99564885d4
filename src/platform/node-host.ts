import { readFileSync } from "node:fs";
import * as os from "node:os";
import { join } from "node:path";

const cgroupRoot = "/sys/fs/cgroup";

/**
 * How many threads can run at once: the CPUs of this process, limited by a container's CPU quota. Runtimes
 * count the CPUs of the machine, and a team of threads that spins past its quota is throttled as a whole.
 */
export function availableParallelism(): number {
  // Missing from some Bun and Deno releases.
  const available = (os as Partial<typeof os>).availableParallelism?.() ?? os.cpus().length;
  const quota = Math.min(...cgroupFolders().map(cpuQuota));
  return Math.max(1, Math.min(available, Math.ceil(quota)));
}

/**
 * Estimates how many bytes can be allocated without swapping or being killed. On Linux this is the kernel's
 * MemAvailable (free memory and droppable caches), limited by the control groups.
 */
export function freeMemoryBytes(): number {
  const available = memAvailable() ?? hostFreeMemory();
  return Math.max(0, Math.min(available, ...cgroupFolders().map(cgroupFreeMemory)));
}

/**
 * The maximum bytes of RAM of this process so far. It never falls, so only the first of several models is
 * measured correctly.
 */
export function peakRssBytes(): number {
  // maxRSS is in kibibytes on Node, Deno and Bun alike, and may lag behind the present size.
  return Math.max(process.resourceUsage().maxRSS * 1024, process.memoryUsage().rss);
}

function memAvailable(): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readText("/proc/meminfo"));
  return match ? Number(match[1]) * 1024 : undefined;
}

function hostFreeMemory(): number {
  // macOS fills memory with caches that it gives up on demand, and reports little as free. So at least half
  // of all.
  try {
    if (os.platform() === "darwin") return Math.max(os.freemem(), os.totalmem() / 2);
    return os.freemem();
  } catch {
    // Deno without --allow-sys.
    return Infinity;
  }
}

/**
 * Folders of this process's control groups (version 2), from the root to its own. Empty without control
 * groups.
 */
function cgroupFolders(): readonly string[] {
  const match = /^0::(\/.*)$/m.exec(readText("/proc/self/cgroup"));
  if (!match) return [];
  const parts = (match[1] as string).split("/").filter((part) => part !== "");
  // A limit on any ancestor holds too. Inside a container the path is often just "/".
  return Array.from({ length: parts.length + 1 }, (_, depth) => join(cgroupRoot, ...parts.slice(0, depth)));
}

/** Memory that a control group still allows: its limit minus the used bytes that cannot be dropped. */
function cgroupFreeMemory(folder: string): number {
  const limit = readText(join(folder, "memory.max")).trim();
  if (!/^\d+$/.test(limit)) return Infinity;
  const used = Number(readText(join(folder, "memory.current")));
  const droppable = /^inactive_file (\d+)$/m.exec(readText(join(folder, "memory.stat")));
  return Number(limit) - used + Number(droppable?.[1] ?? 0);
}

/** CPUs of a control group's quota. Infinity without a quota. */
function cpuQuota(folder: string): number {
  const match = /^(\d+) (\d+)$/.exec(readText(join(folder, "cpu.max")).trim());
  return match ? Number(match[1]) / Number(match[2]) : Infinity;
}

/** The text of a small system file. Empty if it cannot be read. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
