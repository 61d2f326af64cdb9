import { sql } from "kysely";
import type { ErasurePart } from "../tenant/customer-erasure.ts";

const DELIVERIES_MAX = 500;

/**
 * Takes away what receivers answered to events about a customer: an answer may repeat what it was sent. It waits until no
 * attempt is under way that was sent before its event was emptied.
 */
export const eraseAnswers: ErasurePart = {
  place: "ANSWERS",
  waitMs: (app) => app.config.deliveryLeaseMs,
  async step(_, tx, { tenantId, customerId }, after) {
    const [time, id] = after.split(" ");
    const beyond = id ? sql`and (created_at, id) > (${time}::timestamptz, ${id}::uuid)` : sql``;
    const { rows } = await sql<{ id: string; created_at: Date }>`
      select id, created_at from delivery where tenant_id = ${tenantId} and customer_id = ${customerId} ${beyond}
      order by created_at, id limit ${DELIVERIES_MAX}`.execute(tx);
    const ids = rows.map((row) => row.id);
    if (ids.length > 0) {
      await sql`select erase_delivery_answers(${tenantId}, ${customerId}, ${ids}::uuid[])`.execute(tx);
    }
    const last = rows.at(-1);
    return last && rows.length === DELIVERIES_MAX ? `${last.created_at.toISOString()} ${last.id}` : undefined;
  },
};
