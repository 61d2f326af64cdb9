import pg from "pg";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { errorFacts } from "../log.ts";
import { settleAndNote } from "./note-outcomes.ts";
import { type Settlement, settleDeliveries } from "./settle-deliveries.ts";

// How often what could not be written is tried, and the pause before the second time; each is twice as long as the one
// before. Together less than a lease: what is still held is not sent a second time because the database was away.
const TRIES = 8;
const PAUSE_MS = 100;

type Write = (settlements: readonly Settlement[]) => Promise<ReadonlySet<string>>;

/**
 * Writes what attempts came to, and answers the ids of the deliveries that were still held. The success of an endpoint
 * that works, of a delivery in no lane, changes nothing else: those of all tenants are one statement.
 */
export async function settle(app: App, settlements: readonly Settlement[]): Promise<ReadonlySet<string>> {
  const isPlain = (one: Settlement) => one.state === "DELIVERED" && !one.endpoint_failing && !one.in_lane;
  const plain = settlements.filter(isPlain);
  const others = settlements.filter((one) => !isPlain(one));
  const [first, second] = await Promise.all([
    persist(app, plain, (own) => settleDeliveries(app.workerDb, own, "in no lane")),
    settleByTenant(app, others),
  ]);
  // Their leases were lost, or their endpoint became ordered since they were claimed: something may wait for them now.
  const missed = plain.filter((one) => !first.has(one.id));
  return new Set([...first, ...second, ...(await settleByTenant(app, missed))]);
}

async function settleByTenant(app: App, settlements: readonly Settlement[]): Promise<string[]> {
  const held = await Promise.all(
    Array.from(
      Map.groupBy(settlements, (one) => one.tenant_id),
      ([tenantId, tenants]) =>
        persist(app, tenants, (own) => inTenant(app.workerDb, tenantId, (tx) => settleAndNote(app, tx, tenantId, own))),
    ),
  );
  return held.flatMap((ids) => [...ids]);
}

/**
 * Writes again what could not be written: the receiver has its webhook, and would get it twice. What the database refuses
 * is written one by one, so that one outcome is not the fault of all.
 */
async function persist(app: App, settlements: readonly Settlement[], write: Write): Promise<ReadonlySet<string>> {
  for (let tried = 1; ; tried++) {
    try {
      return await write(settlements);
    } catch (error) {
      if (isRefused(error)) {
        if (settlements.length === 1) throw error;
        const held = await Promise.allSettled(settlements.map((one) => persist(app, [one], write)));
        return new Set(held.flatMap((one) => (one.status === "fulfilled" ? [...one.value] : [])));
      }
      if (tried === TRIES) throw error;
      app.log.warn("delivery.settled_late", { tried, ...errorFacts(error) });
      await app.clock.sleep(PAUSE_MS * 2 ** (tried - 1));
    }
  }
}

/** Whether the database was there and took offence at the data: trying again changes nothing. */
function isRefused(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? "");
}
