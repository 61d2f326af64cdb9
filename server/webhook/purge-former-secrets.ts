import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";

const ENDPOINTS_MAX = 100; // of one pass

/** Deletes secrets that endpoints had before and that are in use no more. Answers of how many endpoints. */
export async function purgeFormerSecrets(app: App, stop?: AbortSignal): Promise<number> {
  const now = app.clock.now();
  const over = await app.workerDb
    .selectFrom("endpoint")
    .select(["tenant_id", "id"])
    .where("former_secrets_until", "<=", now)
    .orderBy("former_secrets_until")
    .limit(ENDPOINTS_MAX)
    .execute();
  for (const { tenant_id, id } of over) {
    if (stop?.aborted) break;
    await inTenant(app.workerDb, tenant_id, (tx) => purgeOf(tx, tenant_id, id, now));
  }
  return over.length;
}

/** No secret is valid for longer than the endpoint says. A rotation locks the endpoint too, and may have said more since. */
async function purgeOf(tx: Tx, tenantId: string, endpointId: string, now: Date): Promise<void> {
  const endpoint = await tx
    .updateTable("endpoint")
    .set({ former_secrets_until: null })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", endpointId)
    .where("former_secrets_until", "<=", now)
    .returning("id")
    .executeTakeFirst();
  if (!endpoint) return;
  await tx
    .deleteFrom("endpoint_former_secret")
    .where("tenant_id", "=", tenantId)
    .where("endpoint_id", "=", endpointId)
    .execute();
}
