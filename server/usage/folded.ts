import { sql } from "kysely";

/**
 * The condition that event `e` is in the buckets, or was when `foldNumber` was the last fold: its batch was folded, and no
 * void of it was. Folds never change, so the answer for one that is past never does.
 */
export function isFolded(tenantId: string, foldNumber?: bigint) {
  return sql`exists (
    select from usage_fold fold
    where fold.tenant_id = ${tenantId} and fold.batch_id = e.batch_id ${upTo(foldNumber)}
  ) and ${isStanding(tenantId, foldNumber)}`;
}

/** The condition that no void of event `e` is folded, or was when `foldNumber` was the last fold. */
export function isStanding(tenantId: string, foldNumber?: bigint) {
  return sql`not exists (
    select from usage_void void
    join usage_fold fold on fold.tenant_id = void.tenant_id and fold.batch_id = void.batch_id
    where void.tenant_id = ${tenantId} and void.idempotency_key = e.idempotency_key ${upTo(foldNumber)}
  )`;
}

function upTo(foldNumber: bigint | undefined) {
  return foldNumber === undefined ? sql`` : sql`and fold.number <= ${foldNumber}`;
}
