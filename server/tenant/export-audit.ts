import { create } from "@bufbuild/protobuf";
import {
  AuditFilterSchema,
  type ExportAuditRequest,
  type ExportAuditResponse,
  ExportAuditResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { auditExport } from "../rpc/audit.ts";
import type { Caller } from "../rpc/caller.ts";
import { exportScope } from "../rpc/export-rows.ts";
import { keyOfToken, tokenOfKey } from "../rpc/page.ts";
import { auditEntries, toAuditEntry } from "./audit-entry.ts";

const PAGE_SIZE = 500;

/** Streams the log and its head. The entry of the export itself is where it ends. */
export async function* exportAudit(
  app: App,
  caller: Caller,
  request: ExportAuditRequest,
  ended: AbortSignal,
): AsyncIterable<ExportAuditResponse> {
  const { tenantId } = caller;
  const scope = exportScope(tenantId, "audit_entry", request);
  const resumed = keyOfToken(app, scope, request.resumeToken, "resume_token");
  const span = filterOf(request);
  const head = await auditExport(app, caller, request);
  let after = BigInt(resumed ?? 0);
  for (let full = true; full && !ended.aborted; ) {
    const rows = await inTenant(app.db, tenantId, (tx) =>
      auditEntries(tx, tenantId, span)
        .where("sequence", ">", after)
        .where("sequence", "<=", head.sequence)
        .orderBy("sequence")
        .limit(PAGE_SIZE)
        .execute(),
    );
    for (const row of rows) {
      if (ended.aborted) return;
      after = row.sequence;
      const part = { case: "auditEntry", value: toAuditEntry(row) } as const;
      yield create(ExportAuditResponseSchema, { part, resumeToken: tokenOfKey(app, scope, after.toString()) });
    }
    full = rows.length === PAGE_SIZE; // entries that are missing are for VerifyAudit to tell
  }
  const resumeToken = tokenOfKey(app, scope, after.toString());
  yield create(ExportAuditResponseSchema, { part: { case: "head", value: head }, resumeToken });
}

function filterOf({ start, end }: ExportAuditRequest) {
  return create(AuditFilterSchema, { ...(start ? { start } : {}), ...(end ? { end } : {}) });
}
