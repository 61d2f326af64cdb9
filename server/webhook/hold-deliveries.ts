import { sql } from "kysely";
import type { App } from "../app.ts";
import type { ClaimedDelivery } from "./claim-deliveries.ts";

/** Gives back deliveries that were not sent. One that somebody is just changing is no longer ours to give. */
export async function releaseDeliveries(app: App, unsent: readonly ClaimedDelivery[]): Promise<void> {
  if (unsent.length === 0) return;
  await sql`
    with held as (${held(unsent)})
    update delivery_due due set lease_until = null, lease_token = null
    from held where due.tenant_id = held.tenant_id and due.delivery_id = held.delivery_id`.execute(app.workerDb);
}

/** Holds deliveries until a later time, and answers the claims that still held theirs, by `claimKey`. */
export async function extendLeases(
  app: App,
  claimed: readonly ClaimedDelivery[],
  until: Date,
): Promise<ReadonlySet<string>> {
  if (claimed.length === 0) return new Set();
  const { rows } = await sql<Pick<ClaimedDelivery, "id" | "lease_token">>`
    with held as (${held(claimed)})
    update delivery_due due set lease_until = ${until}
    from held where due.tenant_id = held.tenant_id and due.delivery_id = held.delivery_id
    returning due.delivery_id as id, due.lease_token`.execute(app.workerDb);
  return new Set(rows.map(claimKey));
}

/** Ends all claims: for who knows that nobody is at work. What was on its way may be sent again. */
export async function endLeases(app: App): Promise<void> {
  const now = app.clock.now();
  await app.workerDb.updateTable("delivery_due").set({ lease_until: now }).where("lease_until", ">", now).execute();
}

/** Names one claim of one delivery: a worker may have lost a delivery and claimed it again. */
export function claimKey({ id, lease_token }: Pick<ClaimedDelivery, "id" | "lease_token">): string {
  return `${id} ${lease_token}`;
}

function held(claimed: readonly ClaimedDelivery[]) {
  return sql`
    select due.tenant_id, due.delivery_id from delivery_due due
    join unnest(
      ${claimed.map((one) => one.tenant_id)}::uuid[], ${claimed.map((one) => one.id)}::uuid[],
      ${claimed.map((one) => one.lease_token)}::uuid[]
    ) as claimed (tenant_id, delivery_id, lease_token) using (tenant_id, delivery_id, lease_token)
    for update of due skip locked`;
}
