import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

/** Whether usage of a customer between two times was accepted, or voided, and the buckets do not say so yet. */
export async function hasPendingUsage(
  tx: Tx,
  tenantId: string,
  { customerId, start, end }: { customerId: string; start: Date; end: Date },
): Promise<boolean> {
  const concerned = sql`e.customer_id = ${customerId} and e.occurred_at >= ${start} and e.occurred_at < ${end}`;
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from usage_batch b join usage_event e on e.tenant_id = b.tenant_id and e.batch_id = b.id
      where b.tenant_id = ${tenantId} and ${concerned}
    ) or exists (
      select from usage_batch b join usage_void v on v.tenant_id = b.tenant_id and v.batch_id = b.id
      join usage_event e on e.tenant_id = v.tenant_id and e.idempotency_key = v.idempotency_key
      where b.tenant_id = ${tenantId} and ${concerned}
    ) as found`.execute(tx);
  return rows[0]?.found === true;
}
