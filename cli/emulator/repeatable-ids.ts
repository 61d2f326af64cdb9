import { createHash } from "node:crypto";
import type { IdSource } from "../../server/id.ts";

// Ids begin with a time, and what is old by it may be thrown away. Repeated ids cannot have the time of day: they have one
// that is never past.
const BEGINNING_MS = Date.UTC(2100, 0, 1);
const DAY_MS = 86_400_000;

/** Ids that are the same in each run with the same seed. `runs` counts the starts on the same data: each has ids of its own. */
export function repeatableIds(seed: number, runs: number): IdSource {
  let made = 0;
  return {
    now: () => BEGINNING_MS + runs * DAY_MS,
    uuid() {
      const hex = createHash("sha256").update(`${seed} ${runs} ${made++}`).digest("hex");
      const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    },
  };
}
