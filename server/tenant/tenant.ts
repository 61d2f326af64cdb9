import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { PartySchema, type Tenant, TenantKind, TenantSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { GetTenantResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import type { Caller } from "../rpc/caller.ts";
import { getApiKey } from "./api-key.ts";
import { toClock } from "./tenant-clock.ts";
import { whoCalls } from "./who-calls.ts";

/** The tenant as callers see it. */
export async function getTenant(app: App, tx: Tx, tenantId: string): Promise<Tenant> {
  const row = await tx
    .selectFrom("tenant")
    .innerJoin("organization", "organization.id", "tenant.organization_id")
    .selectAll("tenant")
    .select(["organization.name as organization", "organization.delete_after"])
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return create(TenantSchema, {
    id: formatId("ten", row.tenant_id),
    organization: row.organization,
    kind: row.kind === "LIVE" ? TenantKind.LIVE : TenantKind.TEST,
    clock: toClock(row, app.clock),
    gracePeriod: durationFromMs(row.grace_period_s * 1_000),
    backfillWindow: durationFromMs(row.backfill_window_s * 1_000),
    invoicePrefix: row.invoice_prefix,
    timeZone: row.time_zone,
    seller: fromJson(PartySchema, row.seller as JsonValue),
    paymentTermsDays: row.payment_terms_days,
    memo: row.memo,
    ...(row.delete_after ? { deleteAfter: timestampFromDate(row.delete_after) } : {}),
  });
}

/** The caller's tenant, and who the caller is. A member is the organization's: looked up there. */
export async function getOwnTenant(app: App, caller: Caller) {
  const { tenantId, keyId, credential } = caller;
  const tenant = await inTenant(app.db, tenantId, (tx) => getTenant(app, tx, tenantId));
  const who =
    credential?.kind === "ACCESS_TOKEN"
      ? await inTenant(app.db, credential.organizationId, (tx) => whoCalls(tx, caller))
      : { apiKey: await inTenant(app.db, tenantId, (tx) => getApiKey(tx, tenantId, keyId)) };
  return create(GetTenantResponseSchema, { tenant, ...who });
}
