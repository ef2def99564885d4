import { readFileSync } from "node:fs";
import * as os from "node:os";
import { join } from "node:path";

const cgroupRoot = "/sys/fs/cgroup";

/**
 * How many threads can run at once: the CPUs this process may use, less where a container's CPU quota allows fewer.
 * Runtimes count the CPUs of the machine; a team of threads that spins past its quota is throttled as a whole.
 */
export function availableParallelism(): number {
  // Missing from some Bun and Deno releases.
  const available = (os as Partial<typeof os>).availableParallelism?.() ?? os.cpus().length;
  const quota = Math.min(...cgroupFolders().map(cpuQuota));
  return Math.max(1, Math.min(available, Math.ceil(quota)));
}

/**
 * The best estimate of how many bytes can be allocated without swapping or being killed: on Linux what the kernel calls
 * available (free, and caches that can be dropped), less where a control group allows less.
 */
export function freeMemoryBytes(): number {
  const available = memAvailable() ?? hostFreeMemory();
  return Math.max(0, Math.min(available, ...cgroupFolders().map(cgroupFreeMemory)));
}

/**
 * The most bytes of RAM that this process ever had. It never falls: in a process that measures several models, it
 * belongs to the first one alone.
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
  // macOS keeps memory busy with caches it gives up on demand and counts little as free: take half of all, at least.
  if (os.platform() === "darwin") return Math.max(os.freemem(), os.totalmem() / 2);
  return os.freemem();
}

/** Folders of the control groups (version 2) this process is in, from its own up to the root; empty where there are none. */
function cgroupFolders(): readonly string[] {
  const match = /^0::(\/.*)$/m.exec(readText("/proc/self/cgroup"));
  if (!match) return [];
  const parts = (match[1] as string).split("/").filter((part) => part !== "");
  // A limit on any ancestor holds as well. Inside a container the path is often just "/".
  return Array.from({ length: parts.length + 1 }, (_, depth) => join(cgroupRoot, ...parts.slice(0, depth)));
}

/** Memory that a control group still allows: its limit, less what it uses and could not drop. */
function cgroupFreeMemory(folder: string): number {
  const limit = readText(join(folder, "memory.max")).trim();
  if (!/^\d+$/.test(limit)) return Infinity;
  const used = Number(readText(join(folder, "memory.current")));
  const droppable = /^inactive_file (\d+)$/m.exec(readText(join(folder, "memory.stat")));
  return Number(limit) - used + Number(droppable?.[1] ?? 0);
}

/** CPUs that a control group's quota amounts to; Infinity without one. */
function cpuQuota(folder: string): number {
  const match = /^(\d+) (\d+)$/.exec(readText(join(folder, "cpu.max")).trim());
  return match ? Number(match[1]) / Number(match[2]) : Infinity;
}

/** The text of a small system file; empty where there is none or it may not be read. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
