import { createHash } from "node:crypto";
import { seeded } from "../support/seeded.ts";

/** Chance that is the same for the same seed. */
export interface Dice {
  /** A whole number from 0 up to, and without, `limit`. */
  below(limit: number): number;
  /** One of a list that has some. */
  pick<T>(list: readonly T[]): T;
  /** Whether something happens that happens in so many of a hundred cases. */
  percent(chance: number): boolean;
}

/** Dice for a seed, and for what they are thrown for: one case can be thrown again without those before it. */
export function createDice(seed: number, ...purpose: readonly (string | number)[]): Dice {
  const digest = createHash("sha256")
    .update([seed, ...purpose].join("|"))
    .digest();
  const below = seeded(digest.readUInt32BE(0));
  return {
    below,
    pick: <T>(list: readonly T[]) => list[below(list.length)] as T,
    percent: (chance) => below(100) < chance,
  };
}
