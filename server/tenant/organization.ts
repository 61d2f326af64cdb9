import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { OrganizationSchema } from "../../gen/usageflow/v1/organization_pb.ts";
import type { Tenant } from "../../gen/usageflow/v1/tenant_pb.ts";
import {
  GetOrganizationResponseSchema,
  type ListTenantsRequest,
  ListTenantsResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Organization as OrganizationRow } from "../db/tables.ts";
import { formatId } from "../id.ts";
import { type Caller, tokenOf } from "../rpc/caller.ts";
import { openPage } from "../rpc/page.ts";
import { getTenant } from "./tenant.ts";
import { whoCalls } from "./who-calls.ts";

/** The organization as callers see it. */
export function toOrganization(row: Selectable<OrganizationRow>) {
  return create(OrganizationSchema, {
    id: formatId("org", row.id),
    name: row.name,
    createdAt: timestampFromDate(row.created_at),
    ...(row.delete_after ? { deleteAfter: timestampFromDate(row.delete_after) } : {}),
  });
}

/** The caller's organization, and who the caller is. */
export function getOrganization(app: App, caller: Caller) {
  const { organizationId } = tokenOf(caller);
  return inTenant(app.db, organizationId, async (tx) => {
    const row = await tx
      .selectFrom("organization")
      .selectAll()
      .where("id", "=", organizationId)
      .executeTakeFirstOrThrow();
    return create(GetOrganizationResponseSchema, {
      organization: toOrganization(row),
      ...(await whoCalls(tx, caller)),
    });
  });
}

/** The organization, which nobody else changes until the transaction ends. */
export function holdOrganization(tx: Tx, organizationId: string): Promise<Selectable<OrganizationRow>> {
  return tx
    .selectFrom("organization")
    .selectAll()
    .where("id", "=", organizationId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
}

/** The tenants of the caller's organization. */
export function listTenants(app: App, caller: Caller, request: ListTenantsRequest) {
  const { organizationId } = tokenOf(caller);
  const page = openPage(app, { tenantId: organizationId, list: "tenant" }, request);
  return inTenant(app.db, organizationId, async (tx) => {
    const found = await ownTenantIds(tx, organizationId)
      .$if(page.after !== undefined, (query) => query.where("tenant_id", ">", page.after as string))
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.tenant_id);
    const tenants = await Promise.all(rows.map((row) => getTenant(app, tx, row.tenant_id)));
    return create(ListTenantsResponseSchema, { tenants, nextPageToken });
  });
}

/** All tenants of an organization. */
export async function tenantsOf(app: App, tx: Tx, organizationId: string): Promise<Tenant[]> {
  const rows = await ownTenantIds(tx, organizationId).execute();
  return Promise.all(rows.map((row) => getTenant(app, tx, row.tenant_id)));
}

function ownTenantIds(tx: Tx, organizationId: string) {
  return tx.selectFrom("tenant").select("tenant_id").where("organization_id", "=", organizationId).orderBy("tenant_id");
}
