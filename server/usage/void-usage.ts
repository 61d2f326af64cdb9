import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { VoidOutcome, VoidResultSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { type VoidUsageRequest, VoidUsageResponseSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { newId } from "../id.ts";
import { traceColumn } from "../observe/trace.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteUnchanged } from "../rpc/change-note.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";

/** Takes events back. They stay stored, and a fold takes them out of what is counted. */
export function voidUsage(app: App, caller: Caller, { idempotencyKeys, reason }: VoidUsageRequest) {
  return change(app, caller, VoidUsageResponseSchema, async (tx) => {
    const voids = {
      keys: idempotencyKeys,
      reason,
      batchId: newId(),
      at: await tenantNow(tx, caller.tenantId, app.clock),
    };
    const voided = await insertVoids(tx, caller, voids);
    if (voided.size > 0) {
      await tx
        .insertInto("usage_batch")
        .values({
          tenant_id: caller.tenantId,
          id: voids.batchId,
          created_at: app.clock.now(),
          trace: traceColumn(caller.call?.trace),
        })
        .execute();
    } else {
      noteUnchanged(tx);
    }
    const known = await knownKeys(tx, caller.tenantId, idempotencyKeys);
    const results = idempotencyKeys.map((idempotencyKey) => {
      // A key that is sent twice is voided once.
      const isFirst = voided.delete(idempotencyKey);
      const other = known.has(idempotencyKey) ? VoidOutcome.ALREADY_VOIDED : VoidOutcome.NOT_FOUND;
      return create(VoidResultSchema, { idempotencyKey, outcome: isFirst ? VoidOutcome.VOIDED : other });
    });
    return create(VoidUsageResponseSchema, { results });
  });
}

/** Voids those events that are not yet, and answers their keys. Sorted, so that two calls never wait for each other. */
async function insertVoids(
  tx: Tx,
  { tenantId, keyId }: Caller,
  voids: { keys: readonly string[]; reason: string; batchId: string; at: Date },
): Promise<Set<string>> {
  const { rows } = await sql<{ idempotency_key: string }>`
    insert into usage_void (tenant_id, idempotency_key, batch_id, reason, voided_at, key_id)
    select tenant_id, idempotency_key, ${voids.batchId}, ${voids.reason}, ${voids.at}, ${keyId}
    from usage_event where tenant_id = ${tenantId} and idempotency_key = any(${voids.keys})
    order by idempotency_key
    on conflict on constraint usage_void_pkey do nothing
    returning idempotency_key`.execute(tx);
  return new Set(rows.map((row) => row.idempotency_key));
}

async function knownKeys(tx: Tx, tenantId: string, keys: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ idempotency_key: string }>`
    select idempotency_key from usage_event
    where tenant_id = ${tenantId} and idempotency_key = any(${keys})`.execute(tx);
  return new Set(rows.map((row) => row.idempotency_key));
}
