import { sql } from "kysely";
import type { App } from "../app.ts";

/**
 * Tenants of which something is due by their own clocks, longest due first. Those whose clock is being advanced are left
 * to `walk-clock.ts`, which does their work in order.
 */
export async function dueTenants(app: App, limit: number): Promise<string[]> {
  const now = app.clock.now();
  const { rows } = await sql<{ tenant_id: string }>`
    select d.tenant_id
    from tenant_due d
    join tenant t on t.tenant_id = d.tenant_id
    where t.clock_target is null
      and d.due_at <= coalesce(t.clock_frozen_at, ${now}::timestamptz + t.clock_offset_ms * interval '1 millisecond')
    group by d.tenant_id
    order by min(d.due_at), d.tenant_id
    limit ${limit}`.execute(app.workerDb);
  return rows.map((row) => row.tenant_id);
}
