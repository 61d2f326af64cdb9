import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type CreateAccessTokenRequest,
  CreateAccessTokenResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { forbidden } from "../rpc/errors.ts";
import { newAccessTokenRow, TOKEN_MS, toAccessToken } from "./access-token.ts";
import { holdToken } from "./hold-caller.ts";
import { makeSecret } from "./secret-text.ts";

/**
 * Makes an access token for the caller. It may work as long as the caller's own does in its whole life: so a member renews theirs
 * in time, and a token that was made for an hour never makes one for a year.
 */
export function createAccessToken(app: App, caller: Caller, { name, expiresIn }: CreateAccessTokenRequest) {
  const { organizationId } = tokenOf(caller);
  return change(app, caller, CreateAccessTokenResponseSchema, async (tx) => {
    await holdMember(tx, organizationId, caller.keyId);
    const own = await holdToken(tx, caller);
    const longest = own.expires_at.getTime() - own.created_at.getTime();
    const life = expiresIn ? durationMs(expiresIn) : Math.min(TOKEN_MS, longest);
    if (life > longest) {
      throw forbidden(`your token works for ${longest / 1_000} s in all, and may not make one that works longer`);
    }
    const secret = makeSecret("TOKEN", organizationId);
    const expiresAt = plusMs(app.clock.now(), life);
    const row = newAccessTokenRow(app, { organizationId, memberId: caller.keyId, name, secret, expiresAt });
    await tx.insertInto("access_token").values(row).execute();
    return create(CreateAccessTokenResponseSchema, { accessToken: toAccessToken(row), secret });
  });
}

/** So that nobody removes the member before the token is there, which would fail then. */
async function holdMember(tx: Tx, organizationId: string, memberId: string): Promise<void> {
  const own = tx.selectFrom("member").select("id").where("organization_id", "=", organizationId);
  await own.where("id", "=", memberId).forKeyShare().execute();
}
