import type { LayerZeros, Profile } from "../../graph/profile.js";

/** A part of the time of a token, in milliseconds. */
export interface ProfilePart {
  readonly name: string;
  readonly ms: number;
}

/** The time of a token by parts, in hundredths of a millisecond. The parts add up to the whole exactly. */
export interface TokenProfile {
  readonly parts: readonly ProfilePart[];
  /** The mean of the measured tokens. */
  readonly tokenMs: number;
  /** By layer. Empty for models without a squared relu. */
  readonly zeros: readonly LayerZeroShares[];
}

/** Shares from 0 to 1 that sparse matmuls can skip (graph/sparse-matmuls). */
export interface LayerZeroShares {
  /** Zeros of relu(gate)² · up: rows of `up` to skip. */
  readonly gate: number;
  /** Zeros of the int8 inputs of `down`: columns of `down` to skip. */
  readonly downInput: number;
}

/** Adds up the profiles of passes. */
export interface ProfileSum {
  readonly add: (spent: Profile) => void;
  reset(): void;
  /**
   * @param total duration of the passes since `reset`, measured outside, and their tokens. Time that no
   *   operation accounts for is between passes. Every pass lies inside the duration, so that part is not
   *   negative.
   */
  perToken(total: { readonly ms: number; readonly tokens: number }): TokenProfile;
}

const between = "between passes (messages, rows of the file, screening)";

export function createProfileSum(): ProfileSum {
  const spent = new Map<string, number>();
  let zeros: LayerZeros[] = [];
  return {
    add(profile): void {
      for (const [name, ms] of Object.entries(profile.spent)) spent.set(name, (spent.get(name) ?? 0) + ms);
      zeros = profile.zeros.map((layer, index) => addZeros(layer, zeros[index]));
    },
    reset(): void {
      spent.clear();
      zeros = [];
    },
    perToken({ ms: totalMs, tokens }): TokenProfile {
      const inside = [...spent.values()].reduce((sum, ms) => sum + ms, 0);
      const sums: readonly (readonly [string, number])[] = [...spent, [between, totalMs - inside]];
      // Rounding the ends of parts instead of the parts keeps the sum.
      let end = 0;
      let before = 0;
      const hundredths = sums.map(([name, ms]) => {
        end += ms;
        const rounded = Math.round((end * 100) / tokens);
        const part = { name, ms: (rounded - before) / 100 };
        before = rounded;
        return part;
      });
      const shares = zeros.map(({ gated, downInputs }) => ({
        gate: share(gated),
        downInput: share(downInputs),
      }));
      return { parts: hundredths, tokenMs: before / 100, zeros: shares };
    },
  };
}

function addZeros(more: LayerZeros, before: LayerZeros | undefined): LayerZeros {
  if (before === undefined) return more;
  const sum = (key: keyof LayerZeros): [number, number] => [
    before[key][0] + more[key][0],
    before[key][1] + more[key][1],
  ];
  return { gated: sum("gated"), downInputs: sum("downInputs") };
}

/** Three decimals. */
function share([zeros, of]: readonly [number, number]): number {
  return of === 0 ? 0 : Math.round((1000 * zeros) / of) / 1000;
}
