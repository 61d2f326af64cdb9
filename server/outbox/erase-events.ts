import type { JsonObject } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { ErasurePart } from "../tenant/customer-erasure.ts";

const EVENTS_MAX = 200;

interface EventRow {
  id: string;
  type: string;
  occurred_at: Date;
  data: string;
}

/** Takes what names a customer out of the events about it: those that wait are sent without, too. */
export const eraseEvents: ErasurePart = {
  place: "EVENTS",
  async step(_, tx, { tenantId, customerId }, after) {
    const [type, time, id] = after.split(" ");
    const beyond = id ? sql`and (type, occurred_at, id) > (${type}, ${time}::timestamptz, ${id}::uuid)` : sql``;
    const { rows } = await sql<EventRow>`
      select id, type, occurred_at, data from outbox_event
      where tenant_id = ${tenantId} and customer_id = ${customerId} ${beyond}
      order by type, occurred_at, id limit ${EVENTS_MAX}`.execute(tx);
    const others = rows.map(({ id, data }) => ({ id, before: data, data: withoutPersonal(data) }));
    const changed = others.filter(({ before, data }) => data !== before);
    if (changed.length > 0) {
      const [ids, texts] = [changed.map((one) => one.id), changed.map((one) => one.data)];
      await sql`select erase_event_data(${tenantId}, ${customerId}, ${ids}::uuid[], ${texts}::text[])`.execute(tx);
    }
    const last = rows.at(-1);
    if (!last || rows.length < EVENTS_MAX) return undefined;
    return `${last.type} ${last.occurred_at.toISOString()} ${last.id}`;
  },
};

/** An event's facts without a customer's name and billing details, and without the buyer of an invoice. */
function withoutPersonal(data: string): string {
  const json = JSON.parse(data) as { customer?: JsonObject; invoice?: JsonObject };
  if (json.customer) {
    json.customer.name = "";
    delete json.customer.billing;
  }
  if (json.invoice) {
    json.invoice.purchaseOrder = "";
    delete json.invoice.buyer;
  }
  return json.customer || json.invoice ? JSON.stringify(json) : data;
}
