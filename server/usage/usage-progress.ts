import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { type UsageProgress, UsageProgressSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import type { Tx } from "../db/database.ts";

/** How far aggregation has come, as columns of a statement. */
export interface ProgressColumns {
  fold_number: bigint;
  pending_batches: bigint;
  oldest_pending_at: Date | null;
}

/**
 * Selects `ProgressColumns`: within the statement that reads the buckets, or before it. After it, a fold between the two
 * would claim more than was read.
 */
export function selectProgress(tenantId: string) {
  return sql<ProgressColumns>`
    select
      coalesce((select last_number from usage_progress where tenant_id = ${tenantId}), 0) as fold_number,
      count(*) as pending_batches,
      min(created_at) as oldest_pending_at
    from usage_batch where tenant_id = ${tenantId}`;
}

/** How far aggregation has come. */
export async function getProgress(tx: Tx, tenantId: string): Promise<ProgressColumns> {
  const { rows } = await selectProgress(tenantId).execute(tx);
  return rows[0] as ProgressColumns; // an aggregate answers one row
}

/** The progress as callers see it. */
export function toProgress(columns: ProgressColumns): UsageProgress {
  return create(UsageProgressSchema, {
    foldNumber: columns.fold_number,
    pendingBatches: columns.pending_batches,
    ...(columns.oldest_pending_at ? { completeUntil: timestampFromDate(columns.oldest_pending_at) } : {}),
  });
}

/**
 * Keeps folds of the tenant's usage out until the transaction ends, and answers the number of the last one. Taken before
 * any row of `tenant_due`: a fold has it when it makes work due.
 */
export async function lockProgress(tx: Tx, tenantId: string): Promise<bigint> {
  const lock = () =>
    tx
      .selectFrom("usage_progress")
      .select("last_number")
      .where("tenant_id", "=", tenantId)
      .forUpdate()
      .executeTakeFirst();
  const row = await lock();
  if (row) return row.last_number;
  await tx
    .insertInto("usage_progress")
    .values({ tenant_id: tenantId, last_number: 0n })
    .onConflict((conflict) => conflict.constraint("usage_progress_pkey").doNothing())
    .execute();
  return (await lock())?.last_number ?? 0n;
}
