import { sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { noSpan } from "../observe/observer.ts";
import { traceFrom } from "../observe/trace.ts";
import { beginIn, traceTx } from "../observe/tx-trace.ts";
import { tenantsInTurn } from "../tenants-in-turn.ts";

// Events of one transaction: enough to share its cost, and few enough to keep it short for the others who wait for it.
const EVENTS_MAX = 200;
const EVENTS_MAX_SHARED = 25;

/** An event as consumers are told of it. Its facts stay in `outbox_event`. */
export interface DispatchedEvent {
  readonly id: string;
  readonly type: string;
  /** Whom it is about; null: no single customer. */
  readonly customer_id: string | null;
  /** The span that it was staged in; null: it is not traced. */
  readonly trace: Buffer | null;
}

/** What follows from events of a tenant. */
export interface EventConsumer {
  /** Does it, in the transaction that takes the events out of the outbox. */
  consume(tx: Tx, tenantId: string, events: readonly DispatchedEvent[]): Promise<void>;
  /** How many events it may be given at once, so that others do not wait for long. Absent: as many as there are. */
  eventsMax?(tx: Tx, tenantId: string): Promise<number>;
}

/** One round over the tenants that have events waiting: a batch each. Answers how many events were dispatched. */
export function dispatchEvents(app: App, consumers: readonly EventConsumer[], stop?: AbortSignal): Promise<number> {
  const turn = (tenantId: string, alone: boolean) =>
    dispatchEventsOf(app, tenantId, consumers, alone ? EVENTS_MAX : EVENTS_MAX_SHARED);
  return tenantsInTurn(app, "outbox_pending", turn, stop);
}

/**
 * Dispatches one batch of a tenant's events in their order, and answers how many. They leave the outbox if, and only if,
 * all consumers did their part.
 */
export function dispatchEventsOf(
  app: App,
  tenantId: string,
  consumers: readonly EventConsumer[],
  eventsMax = EVENTS_MAX,
): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    let most = eventsMax;
    for (const consumer of consumers) most = Math.min(most, (await consumer.eventsMax?.(tx, tenantId)) ?? most);
    const events = await takeBatch(tx, tenantId, most);
    if (events.length === 0) return 0;
    traceTx(tx, app.observer);
    const spans = events.map(({ trace }) =>
      trace ? beginIn(tx, "event.dispatch", { parent: traceFrom(trace) }) : noSpan,
    );
    for (const { consume } of consumers) await consume(tx, tenantId, events);
    for (const [i, { id, type }] of events.entries()) spans[i]?.end({ event_id: formatId("evt", id), type });
    return events.length;
  });
}

async function takeBatch(tx: Tx, tenantId: string, most: number): Promise<DispatchedEvent[]> {
  const { rows } = await sql<DispatchedEvent>`
    with batch as (
      select event_id from outbox_pending where tenant_id = ${tenantId}
      order by event_id limit ${most}
      for update -- waits for another dispatcher of this tenant: its events come before ours
    ), taken as (
      delete from outbox_pending pending using batch
      where pending.tenant_id = ${tenantId} and pending.event_id = batch.event_id
      returning pending.event_id
    )
    select event.* from taken
    cross join lateral ( -- by key, each in its week, however many events the tenant has
      select id, type, customer_id, trace from outbox_event where tenant_id = ${tenantId} and id = taken.event_id offset 0
    ) as event
    order by event.id`.execute(tx);
  return rows;
}
