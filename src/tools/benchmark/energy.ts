import type { EnergyMeter } from "../../platform/energy-counters.js";

/** Well below the minutes after which a counter wraps around. */
const pollMs = 10_000;

/** Joules that the machine uses from `start` to `stop`. */
export interface EnergyWatch {
  start(): void;
  /** @returns joules; undefined if the counters did not move, as on some machines */
  stop(): number | undefined;
}

export function watchEnergy(meter: EnergyMeter): EnergyWatch {
  let before = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  const end = (): void => clearInterval(timer);
  return {
    start(): void {
      end();
      before = meter.joules();
      timer = setInterval(() => void meter.joules(), pollMs);
      timer.unref();
    },
    stop(): number | undefined {
      end();
      const joules = meter.joules() - before;
      return joules > 0 ? joules : undefined;
    },
  };
}
