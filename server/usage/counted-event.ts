import { type RawBuilder, sql } from "kysely";

/**
 * The condition on event `e` that it counts up to a fold: its batch was folded by then, and no void of it was. Folds never
 * change, so the answer for a fold that is past never does.
 */
export function isCounted(tenantId: string, foldNumber: bigint | RawBuilder<bigint>) {
  return sql`exists (
    select from usage_fold fold
    where fold.tenant_id = ${tenantId} and fold.batch_id = e.batch_id and fold.number <= ${foldNumber}
  ) and ${isStanding(tenantId, foldNumber)}`;
}

/** The condition on event `e` that no void of it was folded up to a fold. */
export function isStanding(tenantId: string, foldNumber: bigint | RawBuilder<bigint>) {
  return sql`not exists (
    select from usage_void void
    join usage_fold fold on fold.tenant_id = void.tenant_id and fold.batch_id = void.batch_id
    where void.tenant_id = ${tenantId} and void.idempotency_key = e.idempotency_key and fold.number <= ${foldNumber}
  )`;
}
