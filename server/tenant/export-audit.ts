import { create } from "@bufbuild/protobuf";
import { type ExportAuditResponse, ExportAuditResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { placeId, whoOf } from "../rpc/audit.ts";
import type { Caller } from "../rpc/caller.ts";
import { appendAudit } from "./audit-chain.ts";
import { auditEntries, toAuditEntry } from "./audit-entry.ts";

const PAGE_SIZE = 500;

/** Streams the whole log and its head. The entry of the export itself is where it ends. */
export async function* exportAudit(app: App, caller: Caller, ended: AbortSignal): AsyncIterable<ExportAuditResponse> {
  const { tenantId } = caller;
  const entry = {
    ...whoOf(caller),
    ...{ subject: placeId(caller), refusal: "", leftOutCount: 0, detail: "{}" },
  };
  const head = await inTenant(app.db, tenantId, (tx) => appendAudit(app, tx, tenantId, entry));
  for (let after = 0n; after < head.sequence && !ended.aborted; ) {
    const rows = await inTenant(app.db, tenantId, (tx) =>
      auditEntries(tx, tenantId, undefined)
        .where("sequence", ">", after)
        .where("sequence", "<=", head.sequence)
        .orderBy("sequence")
        .limit(PAGE_SIZE)
        .execute(),
    );
    for (const row of rows) {
      if (ended.aborted) return;
      yield create(ExportAuditResponseSchema, { part: { case: "auditEntry", value: toAuditEntry(row) } });
    }
    after = rows.at(-1)?.sequence ?? head.sequence; // entries that are missing are for VerifyAudit to tell
  }
  yield create(ExportAuditResponseSchema, { part: { case: "head", value: head } });
}
