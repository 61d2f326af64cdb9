import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import { type UsageVoid, UsageVoidSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import type { Tx } from "../db/database.ts";
import type { UsageVoid as UsageVoidTable } from "../db/tables.ts";
import { formatActor } from "../id.ts";

/** That an event was taken back: a row of `usage_void`, and the fold that took it out; null while it waits for one. */
export type UsageVoidRow = Selectable<UsageVoidTable> & { fold_number: bigint | null };

/** The void as callers see it. */
export function toUsageVoid(row: UsageVoidRow): UsageVoid {
  return create(UsageVoidSchema, {
    idempotencyKey: row.idempotency_key,
    voidedAt: timestampFromDate(row.voided_at),
    reason: row.reason,
    keyId: formatActor(row.key_id),
  });
}

/** Those events of some that are voided, in the order of the keys given. */
export async function voidsOf(tx: Tx, tenantId: string, keys: readonly string[]): Promise<UsageVoidRow[]> {
  const { rows } = await sql<UsageVoidRow>`
    select void.*, fold.number as fold_number
    from unnest(${keys}::text[]) with ordinality as asked (key, place)
    join usage_void void on void.tenant_id = ${tenantId} and void.idempotency_key = asked.key
    left join usage_fold fold on fold.tenant_id = void.tenant_id and fold.batch_id = void.batch_id
    order by place`.execute(tx);
  return rows;
}
