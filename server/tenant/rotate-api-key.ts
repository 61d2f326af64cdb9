import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { type RotateApiKeyRequest, RotateApiKeyResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import type { ApiKey as ApiKeyRow } from "../db/tables.ts";
import { formatId, newId, parseId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { forbidden, notFound, stateConflict } from "../rpc/errors.ts";
import { covers } from "../rpc/permission.ts";
import { newApiKeyRow, roleOf, toApiKey } from "./api-key.ts";
import { checkWithinOwn, holdMaker } from "./key-limits.ts";
import { makeSecret } from "./secret-text.ts";

const OVERLAP_MS = 24 * 60 * 60 * 1000;

/** Makes a key in the place of another, which expires when the overlap ends. */
export function rotateApiKey(app: App, caller: Caller, request: RotateApiKeyRequest) {
  const { tenantId } = caller;
  return change(app, caller, RotateApiKeyResponseSchema, async (tx) => {
    const before = await lockKey(tx, tenantId, request.id);
    if (!before) throw notFound("API key", request.id);
    const role = roleOf(before.role);
    const maker = await holdMaker(tx, caller);
    // The answer holds the new key: who may not make it may not be given it.
    if (!covers(maker.role, role)) throw forbidden("you may not rotate a key that may do more than your own role");
    const now = app.clock.now();
    checkGood(before, now);
    const secret = makeSecret(caller.kind, tenantId);
    const { name, expires_at, allowed_cidrs: allowedCidrs } = before;
    const lifeMs = expires_at && expires_at.getTime() - before.created_at.getTime();
    const expiresAt = lifeMs === null ? null : plusMs(now, lifeMs);
    const row = newApiKeyRow(app, { tenantId, id: newId(), name, role, secret, expiresAt, allowedCidrs });
    checkWithinOwn(maker, row);
    await tx.insertInto("api_key").values(row).execute();
    const until = plusMs(now, request.overlap ? durationMs(request.overlap) : OVERLAP_MS);
    const former = await tx
      .updateTable("api_key")
      .set({ replaced_by: row.id, expires_at: expires_at && expires_at < until ? expires_at : until })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return create(RotateApiKeyResponseSchema, { apiKey: toApiKey(row), secret, former: toApiKey(former) });
  });
}

async function lockKey(tx: Tx, tenantId: string, keyId: string): Promise<Selectable<ApiKeyRow> | undefined> {
  const id = parseId("key", keyId);
  if (!id) return undefined;
  const query = tx.selectFrom("api_key").selectAll().where("tenant_id", "=", tenantId).where("id", "=", id);
  return query.forNoKeyUpdate().executeTakeFirst();
}

function checkGood(key: Selectable<ApiKeyRow>, now: Date): void {
  if (key.revoked_at) throw stateConflict("the key was revoked: make a new one");
  if (key.replaced_by) {
    throw stateConflict(`the key was rotated already: ${formatId("key", key.replaced_by)} is in its place`);
  }
  if (key.expires_at && key.expires_at <= now) throw stateConflict("the key has expired: make a new one");
}
