import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant } from "../db/database.ts";
import { turnOf } from "../tenants-in-turn.ts";
import { removeEndpoint } from "./delete-endpoint.ts";

const LISTENERS_MAX = 100;

/** Deletes listeners that nobody used for long, and gives up what waits for them. Answers how many it deleted. */
export async function expireListeners(app: App): Promise<number> {
  const idleSince = plusMs(app.clock.now(), -app.config.listenerIdleMs);
  const idle = await app.workerDb
    .selectFrom("listener")
    .select(["tenant_id", "endpoint_id"])
    .where("held_until", "<", idleSince)
    .limit(LISTENERS_MAX)
    .execute();
  let done = 0;
  for (const { tenant_id, endpoint_id } of idle) {
    done += await turnOf(app, "listener", tenant_id, () => expire(app, tenant_id, endpoint_id, idleSince));
  }
  return done;
}

function expire(app: App, tenantId: string, endpointId: string, idleSince: Date): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    // Whoever comes back meanwhile has the endpoint locked, and it is theirs.
    const still = await tx
      .selectFrom("endpoint")
      .innerJoin("listener", (join) =>
        join.onRef("listener.tenant_id", "=", "endpoint.tenant_id").onRef("listener.endpoint_id", "=", "endpoint.id"),
      )
      .select("endpoint.id")
      .where("endpoint.tenant_id", "=", tenantId)
      .where("endpoint.id", "=", endpointId)
      .where("listener.held_until", "<", idleSince)
      .forNoKeyUpdate("endpoint")
      .executeTakeFirst();
    if (!still) return 0;
    await removeEndpoint(tx, { tenantId, endpointId }, app.clock.now(), "nobody listened any more");
    return 1;
  });
}
