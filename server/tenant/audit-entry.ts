import { create, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { AuditEntrySchema } from "../../gen/usageflow/v1/audit_pb.ts";
import {
  type AuditFilter,
  type ListAuditEntriesRequest,
  ListAuditEntriesResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { AuditEntry as AuditEntryRow } from "../db/tables.ts";
import { listSpan } from "../rpc/list-span.ts";
import { openPage } from "../rpc/page.ts";

/** The entry as callers see it. */
export function toAuditEntry(row: Selectable<AuditEntryRow>) {
  const { request, before, after } = JSON.parse(row.detail) as Record<"request" | "before" | "after", JsonObject>;
  return create(AuditEntrySchema, {
    sequence: row.sequence,
    recordedAt: timestampFromDate(row.recorded_at),
    action: row.action,
    actor: row.actor,
    keyId: row.key_id,
    address: row.address,
    requestId: row.request_id,
    subject: row.subject,
    refusal: row.refusal,
    leftOutCount: row.left_out_count,
    ...(request ? { request } : {}),
    ...(before ? { before } : {}),
    ...(after ? { after } : {}),
    hash: row.hash,
    erased: row.erasure !== null,
  });
}

/** Entries of the tenant that a filter lets through; the caller says which of them, and in which order. */
export function auditEntries(tx: Tx, tenantId: string, filter: AuditFilter | undefined) {
  const { actions = [], subject = "", actor = "", refused = false } = filter ?? {};
  const { start, end } = listSpan(filter ?? {});
  return tx
    .selectFrom("audit_entry")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .$if(actions.length > 0, (query) => query.where("action", "in", actions))
    .$if(subject !== "", (query) => query.where("subject", "=", subject))
    .$if(actor !== "", (query) => query.where("actor", "=", actor))
    .$if(refused, (query) => query.where("refusal", "<>", ""))
    .$if(start !== undefined, (query) => query.where("recorded_at", ">=", start as Date))
    .$if(end !== undefined, (query) => query.where("recorded_at", "<", end as Date));
}

/** Entries of the tenant, newest first. */
export function listAuditEntries(app: App, tenantId: string, request: ListAuditEntriesRequest) {
  const page = openPage(app, { tenantId, list: "audit_entry" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await auditEntries(tx, tenantId, request.filter)
      .$if(page.after !== undefined, (query) => query.where("sequence", "<", BigInt(page.after as string)))
      .orderBy("sequence", "desc")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.sequence.toString());
    return create(ListAuditEntriesResponseSchema, { auditEntries: rows.map(toAuditEntry), nextPageToken });
  });
}
