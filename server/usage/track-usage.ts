import { create } from "@bufbuild/protobuf";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { type UsageEvent, UsageOutcome, type UsageResult, UsageResultSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inPieces } from "../give-way.ts";
import { inStep } from "../lockstep.ts";
import type { Caller } from "../rpc/caller.ts";
import { checkEvent, type Rejection, type UsageRow } from "./check-event.ts";
import { createIngest, type IngestOutcome } from "./ingest.ts";
import { createFactReader } from "./tenant-facts.ts";

/** Records usage: the verb behind every door, which knows nothing of transport. */
export interface Tracker {
  /** What became of each event, in order. Resolves when what was accepted is on disk. */
  track(caller: Caller, events: readonly UsageEvent[], options: TrackOptions): Promise<UsageResult[]>;
}

export interface TrackOptions {
  backfill: boolean;
  /** How long the client waits. Undefined: it did not say. */
  timeoutMs?: number | undefined;
}

/** A tracker for one process: its calls share commits and what it knows of tenants. */
export function createTracker(app: App): Tracker {
  const ingest = createIngest(app);
  const factsOf = createFactReader(app);
  const track: Tracker["track"] = async (caller, events, { backfill, timeoutMs }) => {
    const ms = Math.min(timeoutMs ?? Number.POSITIVE_INFINITY, app.config.requestTimeoutMs);
    const until = plusMs(app.clock.now(), ms);
    const facts = factsOf(
      caller,
      events.map((event) => event.metric),
    );
    const tenant = facts instanceof Promise ? await facts : facts;
    const request = { tenantId: caller.tenantId, backfill };
    const check = (event: UsageEvent) => checkEvent(event, tenant, request);
    const checked = events.length > 1 ? await inPieces(events, check) : events.map(check);
    const rows = checked.filter((one) => "tenantId" in one);
    const outcomes = rows.length > 0 ? await ingest.store(rows, { trace: caller.call?.trace, until }) : [];
    let next = 0;
    return checked.map((one, place) =>
      "tenantId" in one
        ? stored(one, outcomes[next++] as IngestOutcome)
        : rejected(one, events[place]?.idempotencyKey ?? ""),
    );
  };
  return { track: (caller, events, options) => inStep(app, () => track(caller, events, options)) };
}

/** The answer for an event that is not stored. */
export function rejected(rejection: Rejection, idempotencyKey: string): UsageResult {
  return create(UsageResultSchema, { ...rejection, outcome: UsageOutcome.REJECTED, idempotencyKey });
}

function stored(row: UsageRow, outcome: IngestOutcome): UsageResult {
  if (outcome === "accepted") {
    return create(UsageResultSchema, { outcome: UsageOutcome.ACCEPTED, idempotencyKey: row.key });
  }
  if (outcome === "duplicate") {
    return create(UsageResultSchema, { outcome: UsageOutcome.DUPLICATE, idempotencyKey: row.key });
  }
  const field = outcome.replace("conflict:", "");
  return create(UsageResultSchema, {
    outcome: UsageOutcome.CONFLICT,
    idempotencyKey: row.key,
    reason: ErrorReason.IDEMPOTENCY_CONFLICT,
    field,
    message: `this idempotency key was used for an event with another ${field}; the first one stands`,
  });
}
