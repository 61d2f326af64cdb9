import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { settleAndNote } from "./note-outcomes.ts";
import { type Settlement, settleDeliveries } from "./settle-deliveries.ts";

/**
 * Writes what attempts came to, and answers the ids of the deliveries that were still held. The success of an endpoint
 * that works changes nothing else: those of all tenants are one statement.
 */
export async function settle(app: App, settlements: readonly Settlement[]): Promise<ReadonlySet<string>> {
  const isPlain = (one: Settlement) => one.state === "DELIVERED" && !one.endpoint_failing;
  const plain = settlements.filter(isPlain);
  const others = settlements.filter((one) => !isPlain(one));
  const held = await Promise.all([
    settleDeliveries(app.workerDb, plain),
    ...Array.from(
      Map.groupBy(others, (one) => one.tenant_id),
      ([tenantId, own]) => inTenant(app.workerDb, tenantId, (tx) => settleAndNote(app, tx, tenantId, own)),
    ),
  ]);
  return new Set(held.flatMap((ids) => [...ids]));
}
