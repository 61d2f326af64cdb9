import { create } from "@bufbuild/protobuf";
import { durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { ClockSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type AdvanceClockRequest, AdvanceClockResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { leaveWork } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { invalid, stateConflict } from "../rpc/errors.ts";
import { timeOf, toClock } from "./tenant-clock.ts";

// The contract's own bound for `to`; `by` could step over it.
const LATEST = new Date("2200-01-01T00:00:00Z");

/** Sets where the clock of a test tenant is to go; `walk-clock.ts` takes it there. */
export function advanceClock(app: App, caller: Caller, request: AdvanceClockRequest) {
  if (caller.kind === "LIVE") {
    throw stateConflict(
      "the clock of a live tenant is real time; use a key of the test tenant",
      ErrorReason.CLOCK_NOT_MOVABLE,
    );
  }
  return change(app, caller, AdvanceClockResponseSchema, async (tx) => {
    const tenant = tx.updateTable("tenant").where("tenant_id", "=", caller.tenantId);
    const row = await tx
      .selectFrom("tenant")
      .select(["clock_frozen_at", "clock_offset_ms", "clock_target"])
      .where("tenant_id", "=", caller.tenantId)
      .forNoKeyUpdate()
      .executeTakeFirstOrThrow();
    const now = timeOf(row, app.clock);
    noteBefore(tx, ClockSchema, create(ClockSchema, toClock(row, app.clock)));
    const from = row.clock_target ?? now;
    const { case: way, value } = request.destination;
    const target = way === "to" ? timestampDate(value) : plusMs(from, way === "by" ? durationMs(value) : 0);
    if (target < from) {
      throw invalid(
        way ?? "destination",
        `the clock stands at ${from.toISOString()} and never goes back; give a later time`,
        ErrorReason.CLOCK_BACKWARDS,
      );
    }
    if (target > LATEST) throw invalid(way ?? "destination", `must not lead beyond ${LATEST.toISOString()}`);
    await tenant.set({ clock_target: target }).execute();
    leaveWork(tx, "walkClock");
    return create(AdvanceClockResponseSchema, { clock: toClock({ ...row, clock_target: target }, app.clock) });
  });
}
