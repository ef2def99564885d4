import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Energy by the processor's own counters on Linux: the RAPL zones of powercap, for Intel and AMD. They count
 * the whole machine, including other programs.
 */
export interface EnergyMeter {
  /** The counted zones: "package-0", "dram". */
  readonly zones: readonly string[];
  /**
   * Joules since the meter was opened. Call it every ten seconds or so: counters wrap around within minutes
   * on a large machine.
   */
  joules(): number;
}

/** The reason why there is no meter, for people. */
export interface NoEnergyMeter {
  readonly missing: string;
}

/** The parts of the file system that a test replaces. */
export interface EnergyFiles {
  readonly folder: string;
  /** @throws Error with a `code`, as the file system does. */
  readonly readText: (path: string) => string;
}

const systemFiles: EnergyFiles = {
  folder: "/sys/class/powercap",
  readText: (path) => readFileSync(path, "utf8"),
};

interface Zone {
  readonly name: string;
  readonly path: string;
  /** The counter wraps around to 0 at this value. */
  readonly range: number;
  /** Its last reading, in microjoules. */
  last: number;
}

/**
 * Opens the counters of packages and memory. Cores and graphics are parts of a package, and "psys" contains
 * packages, so neither is counted.
 */
export function openEnergyMeter(files: EnergyFiles = systemFiles): EnergyMeter | NoEnergyMeter {
  const { folder, readText } = files;
  let entries: readonly string[];
  try {
    entries = readdirSync(folder).filter((entry) => /^intel-rapl:\d+(:\d+)?$/.test(entry));
  } catch {
    return { missing: `this machine has no energy counters (no folder ${folder})` };
  }
  const read = (path: string): number => {
    const text = readText(path).trim();
    if (!/^\d+$/.test(text)) throw new Error(`${path} holds "${text.slice(0, 40)}", which is not a number`);
    return Number(text);
  };
  try {
    const zones = entries.flatMap((entry): readonly Zone[] => {
      const at = join(folder, entry);
      const name = readText(join(at, "name")).trim();
      if (!/^package-|^dram$/.test(name)) return [];
      const path = join(at, "energy_uj");
      return [{ name, path, range: read(join(at, "max_energy_range_uj")), last: read(path) }];
    });
    if (zones.length === 0) {
      return { missing: `this machine has no energy counters (no RAPL package in ${folder})` };
    }
    return createMeter(zones, read);
  } catch (error) {
    return { missing: describe(error, folder) };
  }
}

function createMeter(zones: readonly Zone[], read: (path: string) => number): EnergyMeter {
  let microjoules = 0;
  return {
    zones: zones.map(({ name }) => name),
    joules(): number {
      for (const zone of zones) {
        const now = readOr(zone.last, () => read(zone.path));
        microjoules += now >= zone.last ? now - zone.last : now - zone.last + zone.range;
        zone.last = now;
      }
      return microjoules / 1e6;
    },
  };
}

/** Returns the last reading if the counter disappeared, for example after its driver was unloaded. */
function readOr(last: number, read: () => number): number {
  try {
    return read();
  } catch {
    return last;
  }
}

function describe(error: unknown, folder: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") {
    return (
      "this machine has energy counters, but this user may not read them: " +
      `run as root, or allow it with: sudo chmod a+r ${folder}/intel-rapl:*/energy_uj`
    );
  }
  return `the energy counters in ${folder} cannot be read: ${message}`;
}
