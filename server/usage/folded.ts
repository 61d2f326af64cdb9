import { sql } from "kysely";

/** The condition that event `e` is in the buckets, or was when `foldNumber` was the last fold. */
export function isFolded(tenantId: string, foldNumber?: bigint) {
  return sql`exists (
    select from usage_fold fold
    where fold.tenant_id = ${tenantId} and fold.batch_id = e.batch_id
      ${foldNumber === undefined ? sql`` : sql`and fold.number <= ${foldNumber}`}
  )`;
}
