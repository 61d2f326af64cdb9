import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { appendEvents, type NewEvent } from "../outbox/append-event.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { readDeliveries, toDelivery } from "./delivery.ts";
import { toEndpoint } from "./endpoint.ts";
import { afterFailures, isGone, whyDisable } from "./endpoint-health.ts";
import { holdBehind, type Lane, lanesOf, release } from "./lane.ts";
import { type Settlement, settleDeliveries } from "./settle-deliveries.ts";

// Failures in a row after which an endpoint counts as failing, and its next success as a recovery.
const RECOVERY_FAILURES = 5;

/** Types that tell of sending itself. When one of them cannot be delivered, no other tells of that: it would never end. */
const OWN_TYPES = ["delivery.exhausted", "endpoint.disabled", "endpoint.recovered"];

/**
 * Locks endpoints as fan-out and deletion do, before their deliveries: in any other order two could wait for each other.
 * Answers those that are ordered.
 */
async function lockAndFindOrdered(tx: Tx, tenantId: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await tx
    .selectFrom("endpoint")
    .select(["id", "ordered"])
    .where("tenant_id", "=", tenantId)
    .where("id", "in", ids)
    .orderBy("id")
    .forNoKeyUpdate()
    .execute();
  return new Set(rows.filter((row) => row.ordered).map((row) => row.id));
}

/**
 * Settles outcomes of one tenant that change more than their deliveries: what they held, how an endpoint fails, whether it is
 * disabled, and the events that tell of it. All of it is there, or nothing.
 */
export async function settleAndNote(
  app: App,
  tx: Tx,
  tenantId: string,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<string>> {
  const ordered = await lockAndFindOrdered(tx, tenantId, [...new Set(settlements.map((one) => one.endpoint_id))]);
  const inOrder = settlements.filter((one) => ordered.has(one.endpoint_id)).map((one) => one.id);
  const lanes = await lanesOf(tx, tenantId, inOrder);
  const held = await settleDeliveries(tx, settlements);
  const own = settlements.filter((one) => held.has(one.id));
  await keepOrder(tx, tenantId, own, lanes, app.clock.now());
  const occurredAt = await tenantNow(tx, tenantId, app.clock);
  const events: NewEvent[] = [];
  for (const [endpointId, outcomes] of Map.groupBy(own, (one) => one.endpoint_id)) {
    const place = { tenantId, endpointId, occurredAt };
    const failed = outcomes.filter((one) => one.state !== "DELIVERED");
    // An endpoint that says that it is gone is, whatever it took in the same moment.
    const works = failed.length < outcomes.length && !isGone(failed);
    events.push(...(await (works ? noteSuccess(tx, place) : noteFailures(app, tx, place, failed))));
  }
  events.push(...(await exhausted(tx, tenantId, occurredAt, own)));
  await appendEvents(tx, tenantId, events);
  return held;
}

/** What is over releases the next of its lane; what is tried again stays behind those that are before it. */
async function keepOrder(
  tx: Tx,
  tenantId: string,
  own: readonly Settlement[],
  lanes: ReadonlyMap<string, Lane>,
  now: Date,
): Promise<void> {
  const inLanes = own.filter((one) => lanes.has(one.id));
  const over = inLanes.filter((one) => one.state !== "PENDING");
  const again = inLanes.filter((one) => one.state === "PENDING");
  const freed = over.flatMap((one) => lanes.get(one.id) ?? []);
  await release(tx, tenantId, freed, now);
  const ids = again.map((one) => one.id);
  await holdBehind(tx, tenantId, ids);
}

interface Place {
  tenantId: string;
  endpointId: string;
  occurredAt: Date;
}

async function noteSuccess(tx: Tx, place: Place): Promise<NewEvent[]> {
  const { tenantId, endpointId, occurredAt } = place;
  const failure = await tx
    .deleteFrom("endpoint_failure")
    .where("tenant_id", "=", tenantId)
    .where("endpoint_id", "=", endpointId)
    .returning("failure_count")
    .executeTakeFirst();
  if ((failure?.failure_count ?? 0) < RECOVERY_FAILURES) return [];
  const row = await tx
    .selectFrom("endpoint")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("id", "=", endpointId)
    .executeTakeFirstOrThrow();
  return [{ type: "endpoint.recovered", occurredAt, facts: { endpoint: toEndpoint(row) } }];
}

async function noteFailures(app: App, tx: Tx, place: Place, failed: readonly Settlement[]): Promise<NewEvent[]> {
  const { tenantId, endpointId, occurredAt } = place;
  const now = app.clock.now();
  const before = await tx
    .selectFrom("endpoint_failure")
    .select(["failing_since", "failure_count", "rest_until"])
    .where("tenant_id", "=", tenantId)
    .where("endpoint_id", "=", endpointId)
    .executeTakeFirst();
  const after = afterFailures(before, failed, app.config, now);
  await tx
    .insertInto("endpoint_failure")
    .values({ tenant_id: tenantId, endpoint_id: endpointId, ...after })
    .onConflict((conflict) => conflict.columns(["tenant_id", "endpoint_id"]).doUpdateSet(after))
    .execute();
  const reason = whyDisable(after, failed, app.config, now);
  if (!reason) return [];
  const row = await tx
    .updateTable("endpoint")
    .set({ disabled_at: now, disabled_reason: reason })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", endpointId)
    .where("disabled_at", "is", null)
    .where("deleted_at", "is", null)
    .returningAll()
    .executeTakeFirst();
  return row ? [{ type: "endpoint.disabled", occurredAt, facts: { endpoint: toEndpoint(row) } }] : [];
}

/** Tells of deliveries that were given up. */
async function exhausted(tx: Tx, tenantId: string, occurredAt: Date, own: readonly Settlement[]): Promise<NewEvent[]> {
  const ids = own.filter((one) => one.state === "FAILED").map((one) => one.id);
  if (ids.length === 0) return [];
  const rows = (await readDeliveries(tx, tenantId, ids)).filter((row) => !OWN_TYPES.includes(row.event_type));
  return rows.map((row) => ({ type: "delivery.exhausted", occurredAt, facts: { delivery: toDelivery(row) } }));
}
