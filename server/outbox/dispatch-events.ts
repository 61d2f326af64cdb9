import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { errorFacts } from "../log.ts";

// Events of one transaction: enough to share its cost, few enough to keep it short.
const EVENTS_MAX = 200;
const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";

/** An event as consumers are told of it. Its facts stay in `outbox_event`. */
export interface DispatchedEvent {
  readonly id: string;
  readonly type: string;
}

/** Does what follows from events of one tenant, in the transaction that takes them out of the outbox. */
export type EventConsumer = (tx: Tx, tenantId: string, events: readonly DispatchedEvent[]) => Promise<void>;

/**
 * One round over the tenants that have events waiting: each gets one batch dispatched, however much another has. Answers
 * how many events were dispatched. A tenant whose batch fails keeps it, and holds up nobody. `stop` ends the round early.
 */
export async function dispatchEvents(
  app: App,
  consumers: readonly EventConsumer[],
  stop?: AbortSignal,
): Promise<number> {
  let dispatched = 0;
  let tenantId = await tenantWaitingAfter(app, BEFORE_ALL);
  while (tenantId && !stop?.aborted) {
    try {
      dispatched += await dispatchEventsOf(app, tenantId, consumers);
    } catch (error) {
      app.log.error("dispatch.failed", { tenant_id: tenantId, ...errorFacts(error) });
    }
    tenantId = await tenantWaitingAfter(app, tenantId);
  }
  return dispatched;
}

/**
 * Dispatches one batch of a tenant's events in their order, and answers how many. They leave the outbox if, and only if,
 * all consumers did their part.
 */
export function dispatchEventsOf(app: App, tenantId: string, consumers: readonly EventConsumer[]): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const events = await takeBatch(tx, tenantId);
    if (events.length === 0) return 0;
    for (const consume of consumers) await consume(tx, tenantId, events);
    return events.length;
  });
}

/** The next tenant in order of ids: one step in the index each, where `distinct` would read every event that waits. */
async function tenantWaitingAfter(app: App, tenantId: string): Promise<string | undefined> {
  const row = await app.workerDb
    .selectFrom("outbox_pending")
    .select("tenant_id")
    .where("tenant_id", ">", tenantId)
    .orderBy("tenant_id")
    .limit(1)
    .executeTakeFirst();
  return row?.tenant_id;
}

async function takeBatch(tx: Tx, tenantId: string): Promise<DispatchedEvent[]> {
  const events = await tx
    .with(
      "batch",
      (query) =>
        query
          .selectFrom("outbox_pending")
          .select("event_id")
          .where("tenant_id", "=", tenantId)
          .orderBy("event_id")
          .limit(EVENTS_MAX)
          .forUpdate(), // waits for another dispatcher of this tenant: its events come before ours
    )
    .deleteFrom("outbox_pending as pending")
    .using(["batch", "outbox_event as event"])
    .where("pending.tenant_id", "=", tenantId)
    .whereRef("pending.event_id", "=", "batch.event_id")
    .where("event.tenant_id", "=", tenantId)
    .whereRef("event.id", "=", "pending.event_id")
    .returning(["event.id", "event.type"])
    .execute();
  return events.sort((a, b) => (a.id < b.id ? -1 : 1)); // a delete answers in no order
}
