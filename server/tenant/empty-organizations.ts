import { sql } from "kysely";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { turnOf } from "../tenants-in-turn.ts";
import { appendAudit } from "./audit-chain.ts";
import { tenantTables } from "./tenant-tables.ts";

/** Rest after a step, so that who stays gets their turn, and after none was needed. */
export const EMPTY_REST_MS = 100;
export const EMPTY_IDLE_MS = 1_000;

const ORGANIZATIONS_MAX = 100;
// Rows of one transaction, and transactions of one pass.
const ROWS_MAX = 5_000;
const STEPS_MAX = 20;
// The longest that a transaction may stand still: see db/database.ts.
const IDLE_TRANSACTION_MS = 60_000;

/** What loops find their work by: without it nothing of a tenant is billed, dispatched, sent or counted. */
const WORK = ["tenant_due", "usage_batch", "outbox_pending", "delivery_due", "replay", "listener", "customer_erasure"];

/**
 * One pass over the organizations whose time has come. From that instant their keys are refused (authenticate.ts), and here
 * what is still to be done for them is taken away. When all that was under way must be over, their rows go, a little at a
 * time; then they themselves. Answers how much was done. Any number of processes may do it at the same time.
 */
export async function emptyOrganizations(app: App, stop?: AbortSignal): Promise<number> {
  const now = app.clock.now();
  const leaving = await app.workerDb
    .selectFrom("organization")
    .select(["id", "delete_after"])
    .where("delete_after", "<=", now)
    .orderBy("delete_after")
    .limit(ORGANIZATIONS_MAX)
    .execute();
  let done = 0;
  for (const { id, delete_after } of leaving) {
    if (stop?.aborted) break;
    const { requestTimeoutMs, deliveryLeaseMs } = app.config;
    const isQuiet = now >= plusMs(delete_after as Date, requestTimeoutMs + deliveryLeaseMs + IDLE_TRANSACTION_MS);
    const whose = { organization_id: formatId("org", id) };
    done += await turnOf(app, "deletion", id, () => emptyOrganization(app, id, now, isQuiet), whose);
  }
  return done;
}

async function emptyOrganization(app: App, id: string, now: Date, isQuiet: boolean): Promise<number> {
  const tenants = await app.workerDb
    .selectFrom("tenant")
    .select("tenant_id")
    .where("organization_id", "=", id)
    .orderBy("tenant_id")
    .execute();
  if (tenants.length === 0) return endOrganization(app, id, now);
  let done = 0;
  for (const { tenant_id } of tenants) {
    done += isQuiet ? await emptyTenant(app, tenant_id, now) : await stopTenant(app, tenant_id, now);
  }
  return done;
}

/** Takes away what is to be done for a tenant. Whatever was just taken up may leave more: each pass looks again. */
async function stopTenant(app: App, tenantId: string, now: Date): Promise<number> {
  await inTenant(app.workerDb, tenantId, async (tx) => {
    await holdLeaving(tx, tenantId, now);
    await tx
      .updateTable("tenant")
      .set({ clock_target: null })
      .where("tenant_id", "=", tenantId)
      .where("clock_target", "is not", null)
      .where("organization_id", "in", (query) =>
        query.selectFrom("organization").select("id").where("delete_after", "<=", now),
      )
      .execute();
  });
  return deleteRows(app, tenantId, WORK, now);
}

/** Deletes rows of a tenant; when there are none any more, the tenant. */
async function emptyTenant(app: App, tenantId: string, now: Date): Promise<number> {
  const tables = await tenantTables(app.workerDb);
  const done = await deleteRows(
    app,
    tenantId,
    tables.filter((name) => name !== "tenant"),
    now,
  );
  if (done > 0) return done;
  return inTenant(app.workerDb, tenantId, async (tx) => {
    let last = 0;
    for (const name of tables) last += await deleteSome(tx, tenantId, name, now);
    return last;
  });
}

/** Deletes rows table by table, up to a bound, and answers how many. */
async function deleteRows(app: App, tenantId: string, tables: readonly string[], now: Date): Promise<number> {
  let done = 0;
  let steps = 0;
  for (const name of tables) {
    for (let full = true; full && steps < STEPS_MAX; ) {
      const gone = await inTenant(app.workerDb, tenantId, (tx) => deleteSome(tx, tenantId, name, now));
      done += gone;
      full = gone === ROWS_MAX;
      if (gone > 0) steps += 1;
    }
    if (steps === STEPS_MAX) break; // what refers to others goes before them
  }
  return done;
}

/** Deletes some rows. Fails where the deletion was taken back in the meantime. */
async function deleteSome(tx: Tx, tenantId: string, table: string, now: Date): Promise<number> {
  await holdLeaving(tx, tenantId, now);
  const { rows } = await sql<{ gone: number }>`
    select delete_tenant_rows(${tenantId}, ${table}, ${ROWS_MAX}, ${now}) as gone`.execute(tx);
  return rows[0]?.gone ?? 0;
}

/**
 * Holds a tenant, so that until the transaction ends nobody takes its deletion back, writes a refused call into its audit log, or
 * anything that refers to it. What was taken back just before, the next statement sees.
 */
async function holdLeaving(tx: Tx, tenantId: string, now: Date): Promise<void> {
  await sql`select hold_leaving_tenant(${tenantId}, ${now})`.execute(tx);
}

/** Deletes an organization that has no tenants any more. Its audit log stays, and this is the last that it tells. */
function endOrganization(app: App, id: string, now: Date): Promise<number> {
  return inTenant(app.db, id, async (tx) => {
    const row = await tx.selectFrom("organization").select("name").where("id", "=", id).executeTakeFirst();
    const { rows } = await sql<{ done: boolean }>`select delete_organization(${id}, ${now}) as done`.execute(tx);
    if (!row || !rows[0]?.done) return 0; // another process was first
    const subject = formatId("org", id);
    await appendAudit(app, tx, id, {
      ...{ action: "DeleteOrganization", actor: "", keyId: "", address: "", requestId: "" },
      ...{ subject, refusal: "", leftOutCount: 0, detail: JSON.stringify({ before: { id: subject, name: row.name } }) },
    });
    return 1;
  });
}
