import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import type { ErasurePart } from "../tenant/customer-erasure.ts";
import { pagePlaceOf, readEvents } from "./event-pages.ts";

const EVENTS_MAX = 1_000;

/**
 * Takes properties out of a customer's events that no metric measures. What one measures by, its dimensions and what it
 * counts the values of, stays: invoices were worked out from it, and are worked out from it again.
 */
export const eraseUsage: ErasurePart = {
  place: "USAGE",
  async step(_, tx, { tenantId, customerId }, after) {
    const events = await readEvents(tx, { tenantId, customerId }, after || undefined, EVENTS_MAX);
    for (const [metric, its] of Map.groupBy(events, (event) => event.metric)) {
      const kept = await measuredBy(tx, tenantId, metric);
      const others = its.filter(({ properties }) => Object.keys(properties).some((name) => !kept.includes(name)));
      if (others.length === 0) continue;
      const keys = others.map((event) => event.idempotency_key);
      await sql`select erase_usage_properties(${tenantId}, ${customerId}, ${keys}, ${kept})`.execute(tx);
    }
    const last = events.at(-1);
    return last && events.length === EVENTS_MAX ? pagePlaceOf(last) : undefined;
  },
};

async function measuredBy(tx: Tx, tenantId: string, key: string): Promise<string[]> {
  const { dimensions, unique_property } = await tx
    .selectFrom("metric")
    .select(["dimensions", "unique_property"])
    .where("tenant_id", "=", tenantId)
    .where("key", "=", key)
    .executeTakeFirstOrThrow();
  return [...dimensions, unique_property];
}
