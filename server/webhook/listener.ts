import { randomBytes, randomUUID } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { ListenRequest } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Endpoint as EndpointRow } from "../db/tables.ts";
import { newId } from "../id.ts";
import { alreadyExists, brokenConstraint, notFound, stateConflict } from "../rpc/errors.ts";
import { secretPlace } from "./endpoint.ts";
import { checkPatterns, receives } from "./event-filter.ts";
import { giveUpWaiting } from "./give-up-waiting.ts";

// How long a listener stays its client's after the last sign of the stream: a client whose server was killed finds it free.
const HOLD_MS = 15_000;
/** How often a stream prolongs its hold. */
export const HOLD_RENEW_MS = HOLD_MS / 3;
// Each gets a delivery of every event.
const LISTENERS_MAX = 25;
const SECRET_BYTES = 32;

/** A listener, held by a stream. */
export interface Hold {
  tenantId: string;
  endpoint: Selectable<EndpointRow>;
  /** Of this stream. */
  token: string;
  waitingCount: number;
}

/** Finds or makes the listener that a request names, and takes it. Refuses while another client has it. */
export async function takeListener(app: App, tenantId: string, request: ListenRequest): Promise<Hold> {
  checkPatterns(request.eventTypes);
  const take = () => inTenant(app.db, tenantId, (tx) => takeIn(app, tx, tenantId, request));
  try {
    return await take();
  } catch (error) {
    if (brokenConstraint(error) !== "endpoint_listener_name") throw error;
    return take(); // another call made it at the same time
  }
}

async function takeIn(app: App, tx: Tx, tenantId: string, request: ListenRequest): Promise<Hold> {
  const found = await tx
    .selectFrom("endpoint")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("listener_name", "=", request.name)
    .where("deleted_at", "is", null)
    .forNoKeyUpdate()
    .executeTakeFirst();
  const endpoint = found ?? (await makeListener(app, tx, tenantId, request));
  const token = await hold(app, tx, endpoint, request);
  if (found) await narrow(app, tx, found, request);
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from delivery_due
    where tenant_id = ${tenantId} and endpoint_id = ${endpoint.id}`.execute(tx);
  return {
    tenantId,
    endpoint: { ...endpoint, event_types: request.eventTypes },
    token,
    waitingCount: rows[0]?.count ?? 0,
  };
}

async function makeListener(app: App, tx: Tx, tenantId: string, { name, eventTypes }: ListenRequest) {
  const { count } = await tx
    .selectFrom("endpoint")
    .select(sql<number>`count(*)::integer`.as("count"))
    .where("tenant_id", "=", tenantId)
    .where("listener_name", "is not", null)
    .where("deleted_at", "is", null)
    .executeTakeFirstOrThrow();
  if (count >= LISTENERS_MAX) {
    throw stateConflict(`there are ${count} listeners already: delete one that nobody uses`);
  }
  const id = newId();
  return tx
    .insertInto("endpoint")
    .values({
      tenant_id: tenantId,
      id,
      url: "",
      description: "",
      event_types: eventTypes,
      listener_name: name,
      secret_sealed: app.secrets.seal(randomBytes(SECRET_BYTES), secretPlace(tenantId, id)),
      created_at: app.clock.now(),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Takes the listener for a stream, unless another client has it. The endpoint is locked, so one does so at a time. */
async function hold(app: App, tx: Tx, endpoint: Selectable<EndpointRow>, request: ListenRequest): Promise<string> {
  const now = app.clock.now();
  const key = { tenant_id: endpoint.tenant_id, endpoint_id: endpoint.id };
  const held = await tx
    .selectFrom("listener")
    .select(["client", "held_until"])
    .where("tenant_id", "=", key.tenant_id)
    .where("endpoint_id", "=", key.endpoint_id)
    .executeTakeFirst();
  if (held && held.held_until > now && held.client !== request.client && !request.takeOver) {
    throw alreadyExists(`"${held.client}" listens as "${request.name}" already`, "name");
  }
  const own = { client: request.client, token: randomUUID(), held_until: plusMs(now, HOLD_MS) };
  await tx
    .insertInto("listener")
    .values({ ...key, ...own })
    .onConflict((conflict) => conflict.columns(["tenant_id", "endpoint_id"]).doUpdateSet(own))
    .execute();
  return own.token;
}

/** What waits for a listener and is not asked for any more is given up. */
async function narrow(app: App, tx: Tx, found: Selectable<EndpointRow>, request: ListenRequest): Promise<void> {
  const place = { tenantId: found.tenant_id, endpointId: found.id };
  const now = app.clock.now();
  if (request.fromNow) await giveUpWaiting(tx, place, now, "the client began anew");
  if (found.event_types.join() === request.eventTypes.join()) return;
  await tx
    .updateTable("endpoint")
    .set({ event_types: request.eventTypes })
    .where("tenant_id", "=", found.tenant_id)
    .where("id", "=", found.id)
    .execute();
  const { rows } = await sql<{ event_type: string }>`
    select distinct d.event_type from delivery_due due
    cross join lateral ( -- by key, each in its week
      select event_type from delivery where tenant_id = due.tenant_id and id = due.delivery_id offset 0
    ) as d
    where due.tenant_id = ${found.tenant_id} and due.endpoint_id = ${found.id}`.execute(tx);
  const others = rows.map((row) => row.event_type).filter((type) => !receives(request.eventTypes, type));
  if (others.length > 0) await giveUpWaiting(tx, place, now, "the client listens to other events now", others);
}

/** Says that the stream goes on. Refuses one whose listener is gone or another's. */
export async function renewHold(app: App, { tenantId, endpoint, token }: Hold): Promise<void> {
  const renewed = await setHeldUntil(app, { tenantId, endpoint, token }, plusMs(app.clock.now(), HOLD_MS));
  if (renewed) return;
  const there = await inTenant(app.db, tenantId, (tx) =>
    tx
      .selectFrom("listener")
      .select("client")
      .where("tenant_id", "=", tenantId)
      .where("endpoint_id", "=", endpoint.id)
      .executeTakeFirst(),
  );
  if (!there) throw notFound("listener", endpoint.listener_name ?? "");
  throw stateConflict(`"${there.client}" took the listener over`);
}

/** Says that the stream ended: the listener is free. */
export async function releaseHold(app: App, hold: Omit<Hold, "waitingCount">): Promise<void> {
  await setHeldUntil(app, hold, app.clock.now());
}

function setHeldUntil(app: App, { tenantId, endpoint, token }: Omit<Hold, "waitingCount">, until: Date) {
  return inTenant(app.db, tenantId, (tx) =>
    tx
      .updateTable("listener")
      .set({ held_until: until })
      .where("tenant_id", "=", tenantId)
      .where("endpoint_id", "=", endpoint.id)
      .where("token", "=", token)
      .returning("client")
      .executeTakeFirst(),
  );
}
