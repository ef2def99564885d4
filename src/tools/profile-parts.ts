import type { Profile } from "../model/profile.js";

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
  return {
    add(profile): void {
      for (const [name, ms] of Object.entries(profile)) spent.set(name, (spent.get(name) ?? 0) + ms);
    },
    reset(): void {
      spent.clear();
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
      return { parts: hundredths, tokenMs: before / 100 };
    },
  };
}
