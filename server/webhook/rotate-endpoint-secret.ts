import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { EndpointSchema, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import {
  type RotateEndpointSecretRequest,
  RotateEndpointSecretResponseSchema,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import { newId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { getEndpoint, secretPlace, toEndpoint } from "./endpoint.ts";
import { takeSecret } from "./endpoint-secret.ts";

const OVERLAP_MS = 24 * 60 * 60 * 1000;
// Each one is a signature in a header, and receivers bound those.
const IN_USE_MAX = 10;

/** Gives an endpoint another secret, and keeps those before it in use until the overlap ends. */
export function rotateEndpointSecret(app: App, caller: Caller, request: RotateEndpointSecretRequest) {
  const { tenantId } = caller;
  return change(app, caller, RotateEndpointSecretResponseSchema, async (tx) => {
    const before = await getEndpoint(tx, tenantId, request.id, "lock");
    noteBefore(tx, EndpointSchema, toEndpoint(before));
    const kind = request.signatureKind || SignatureKind[before.signature_kind as keyof typeof SignatureKind];
    if (before.listener_name !== null && kind !== SignatureKind.V1) {
      throw stateConflict("a listener signs with v1: its client is shown the secret each time it calls Listen");
    }
    const { bytes, publicKey, shown, ...secret } = takeSecret(kind, request.secret);
    const now = app.clock.now();
    const until = plusMs(now, request.overlap ? durationMs(request.overlap) : OVERLAP_MS);
    const overlaps = until > now;
    await endFormerSecrets(tx, tenantId, before.id, now, until);
    if (overlaps) {
      const { id, signature_kind, secret_sealed } = before;
      await addFormerSecret(tx, {
        tenant_id: tenantId,
        endpoint_id: id,
        signature_kind,
        secret_sealed,
        valid_until: until,
      });
    }
    const row = await tx
      .updateTable("endpoint")
      .set({
        signature_kind: secret.kind,
        secret_sealed: app.secrets.seal(bytes, secretPlace(tenantId, before.id)),
        public_key: publicKey,
        former_secrets_until: overlaps ? until : null,
      })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return create(RotateEndpointSecretResponseSchema, { endpoint: toEndpoint(row), secret: shown });
  });
}

/** No secret before outlives the overlap that was asked for last; those that are over are deleted. */
async function endFormerSecrets(tx: Tx, tenantId: string, endpointId: string, now: Date, until: Date): Promise<void> {
  await tx
    .updateTable("endpoint_former_secret")
    .set({ valid_until: sql<Date>`least(valid_until, ${until})` })
    .where("tenant_id", "=", tenantId)
    .where("endpoint_id", "=", endpointId)
    .execute();
  await tx
    .deleteFrom("endpoint_former_secret")
    .where("tenant_id", "=", tenantId)
    .where("endpoint_id", "=", endpointId)
    .where("valid_until", "<=", now)
    .execute();
}

interface FormerSecret {
  tenant_id: string;
  endpoint_id: string;
  signature_kind: string;
  secret_sealed: Buffer;
  valid_until: Date;
}

async function addFormerSecret(tx: Tx, former: FormerSecret): Promise<void> {
  const { count } = await tx
    .selectFrom("endpoint_former_secret")
    .select((expression) => expression.fn.countAll<bigint>().as("count"))
    .where("tenant_id", "=", former.tenant_id)
    .where("endpoint_id", "=", former.endpoint_id)
    .executeTakeFirstOrThrow();
  if (Number(count) + 2 > IN_USE_MAX) {
    throw stateConflict(`${IN_USE_MAX} secrets are in use already; an overlap of 0 ends those before the new one`);
  }
  await tx
    .insertInto("endpoint_former_secret")
    .values({ ...former, id: newId() })
    .execute();
}
