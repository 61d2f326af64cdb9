import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type UsageEvent, UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";

const SEED = 20_260_301;
const CUSTOMERS = 36;
const REPORTS = 2_000; // of two events each
const REPEATED_SHARE = 0.05;

/** The month that is billed, and when in it the demo begins. */
export const MONTH_START_MS = Date.UTC(2026, 2, 1);
export const DEMO_CLOCK_MS = Date.UTC(2026, 2, 31, 12);

/** Some thousand events of some dozen customers in one month, always the same, some of them sent twice. */
export function demoUsage(): UsageEvent[] {
  const random = createRandom(SEED);
  const below = (max: number) => Math.floor(random() * max);
  const events = Array.from({ length: REPORTS }).flatMap((_, at) => {
    const customerId = `cus_${String(1 + below(below(CUSTOMERS) + 1)).padStart(2, "0")}`; // the first ones use most
    const occurredAt = timestampFromMs(MONTH_START_MS + below(DEMO_CLOCK_MS - MONTH_START_MS));
    const event = (metric: string, amount: number) =>
      create(UsageEventSchema, {
        metric,
        amount: `${amount}`,
        customerId,
        occurredAt,
        idempotencyKey: `${metric}-${at}`,
      });
    return [event("API_CALL", 1 + below(20)), event("EGRESS_BYTES", below(2_000_000))];
  });
  return [...events, ...events.filter(() => random() < REPEATED_SHARE)];
}

/** mulberry32: numbers in [0, 1) that only look random. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
