import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { PartySchema, type Tenant, TenantKind, TenantSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import { formatId } from "../id.ts";
import { toClock } from "./tenant-clock.ts";

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
