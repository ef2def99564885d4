import type { LayerZeros, Profile } from "../../graph/profile.js";

/** A part of the time of a token, in milliseconds. */
export interface ProfilePart {
  readonly name: string;
  readonly ms: number;
}

/** Where the time of a token goes, in hundredths of a millisecond: the parts add up to the whole, to the last digit. */
export interface TokenProfile {
  readonly parts: readonly ProfilePart[];
  /** The mean of the tokens that were measured. */
  readonly tokenMs: number;
  /** By layer; of models without a squared relu, none. */
  readonly zeros: readonly LayerZeroShares[];
}

/** Shares of 1: what sparse products can leave out (graph/sparse-products). */
export interface LayerZeroShares {
  /** Of relu(gate)² · up, rows of `up` with it. */
  readonly gate: number;
  /** Of the int8 inputs of `down`, columns of `down` with them. */
  readonly downInput: number;
}

/** Adds up the profiles of passes. */
export interface ProfileSum {
  readonly add: (spent: Profile) => void;
  reset(): void;
  /**
   * @param total the time that the passes since `reset` took, seen from outside, and the tokens in them. What no operation
   *   accounts for lies between passes, and every pass is inside the time: so that part is not negative.
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
      // Rounding where each part ends, and not each part, keeps the sum: parts are what lies between two rounded ends.
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
