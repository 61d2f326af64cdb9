import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Clock } from "../clock.ts";
import type { Tx } from "../db/database.ts";

// A tenant's business time. Live: real time. Test: real time plus an offset, or a time at which it stands; it is
// advanced by `advance-clock.ts` and never goes back.

/** The columns of `tenant` that make its clock. */
export interface ClockRow {
  clock_frozen_at: Date | null;
  clock_offset_ms: bigint;
  clock_target: Date | null;
}

/** The tenant's time, given the process's. */
export function timeOf(row: ClockRow, clock: Clock): Date {
  return row.clock_frozen_at ?? new Date(clock.now().getTime() + Number(row.clock_offset_ms));
}

/** The tenant's time, for everything that business depends on. */
export async function tenantNow(tx: Tx, tenantId: string, clock: Clock): Promise<Date> {
  const row = await tx
    .selectFrom("tenant")
    .select(["clock_frozen_at", "clock_offset_ms", "clock_target"])
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return timeOf(row, clock);
}

/** The clock as callers see it. */
export function toClock(row: ClockRow, clock: Clock) {
  return {
    now: timestampFromDate(timeOf(row, clock)),
    frozen: row.clock_frozen_at !== null,
    ...(row.clock_target ? { target: timestampFromDate(row.clock_target) } : {}),
  };
}
