import { create } from "@bufbuild/protobuf";
import {
  type TailAuditEntriesRequest,
  type TailAuditEntriesResponse,
  TailAuditEntriesResponseSchema,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { HEARTBEAT_MS } from "../rpc/streams.ts";
import { readHead } from "./audit-chain.ts";
import { auditEntries, toAuditEntry } from "./audit-entry.ts";

const PAGE_SIZE = 1_000n;
const LOOK_MS = 1_000;

/** Streams entries as they are written. Their sequence has no gaps and they are committed in its order: none is missed. */
export async function* tailAudit(
  app: App,
  tenantId: string,
  { afterSequence, filter }: TailAuditEntriesRequest,
  ended: AbortSignal,
): AsyncIterable<TailAuditEntriesResponse> {
  let place = afterSequence ?? (await inTenant(app.db, tenantId, (tx) => readHead(tx, tenantId))).sequence;
  let heardAt = app.clock.now();
  yield create(TailAuditEntriesResponseSchema, { sequence: place });
  while (!ended.aborted) {
    const page = await inTenant(app.db, tenantId, (tx) => readPage(tx, tenantId, place, filter));
    for (const row of page.rows) {
      heardAt = app.clock.now();
      yield create(TailAuditEntriesResponseSchema, { auditEntry: toAuditEntry(row), sequence: row.sequence });
    }
    place = page.end;
    if (page.full) continue;
    if (app.clock.now() >= plusMs(heardAt, HEARTBEAT_MS)) {
      heardAt = app.clock.now();
      yield create(TailAuditEntriesResponseSchema, { sequence: place });
    }
    await app.clock.sleep(LOOK_MS, ended);
  }
}

/** The next stretch of the chain, and of it what the filter lets through. */
async function readPage(tx: Tx, tenantId: string, after: bigint, filter: TailAuditEntriesRequest["filter"]) {
  const { sequence } = await readHead(tx, tenantId);
  const full = sequence > after + PAGE_SIZE;
  const end = full ? after + PAGE_SIZE : sequence;
  if (end <= after) return { rows: [], end: after, full: false };
  const rows = await auditEntries(tx, tenantId, filter)
    .where("sequence", ">", after)
    .where("sequence", "<=", end)
    .orderBy("sequence")
    .execute();
  return { rows, end, full };
}
