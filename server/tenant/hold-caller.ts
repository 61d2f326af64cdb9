import type { Selectable } from "kysely";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { Tx } from "../db/database.ts";
import type { AccessToken as AccessTokenRow, ApiKey as ApiKeyRow } from "../db/tables.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { unauthenticated } from "../rpc/errors.ts";

// What a call came with was good within the last second (authenticate.ts). That is soon enough for all but one thing: a key, a
// token or an invite made in that second would work on when what it was made with is revoked. So whoever makes one holds
// their own until the transaction ends: a revocation comes after it, and finds what was made, or before, and then nothing is.

/** The access token that a call came with, in a transaction of its organization. Refuses one that was revoked meanwhile. */
export function holdToken(tx: Tx, caller: Caller): Promise<Selectable<AccessTokenRow>> {
  return found(tokenOfCall(tx, caller).where("revoked_at", "is", null).forShare());
}

/** The same, without holding it. Refused is one that is gone since, with its member. */
export function ownToken(tx: Tx, caller: Caller): Promise<Selectable<AccessTokenRow>> {
  return found(tokenOfCall(tx, caller));
}

function tokenOfCall(tx: Tx, caller: Caller) {
  const { organizationId, id } = tokenOf(caller);
  return tx.selectFrom("access_token").selectAll().where("organization_id", "=", organizationId).where("id", "=", id);
}

async function found(tokens: ReturnType<typeof tokenOfCall>): Promise<Selectable<AccessTokenRow>> {
  const row = await tokens.executeTakeFirst();
  if (!row) throw unauthenticated(ErrorReason.KEY_UNKNOWN, "this access token is not known any more");
  return row;
}

/** The API key that a call came with. Refuses one that was revoked meanwhile. */
export async function holdApiKey(tx: Tx, { tenantId, keyId }: Caller): Promise<Selectable<ApiKeyRow>> {
  const row = await tx
    .selectFrom("api_key")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("id", "=", keyId)
    .where("revoked_at", "is", null)
    .forShare()
    .executeTakeFirst();
  if (!row) throw unauthenticated(ErrorReason.KEY_UNKNOWN, "this API key was revoked");
  return row;
}
