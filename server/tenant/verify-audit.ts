import { create } from "@bufbuild/protobuf";
import { AuditBreach } from "../../gen/usageflow/v1/audit_pb.ts";
import { type VerifyAuditRequest, VerifyAuditResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { giveWay } from "../give-way.ts";
import { CHAIN_START, type ChainHead, isAsWritten, readHead } from "./audit-chain.ts";

const PAGE_SIZE = 1_000;
// So that a call ends within its time, however long the log is.
const ENTRIES_MAX = 20_000;

/** Where a chain is not as it was written. */
interface Finding {
  breach: AuditBreach;
  breachSequence: bigint;
}

/** Works the hashes of a chain out again, from its beginning or after an entry that is known from before. */
export function verifyAudit(app: Pick<App, "db" | "secrets">, tenantId: string, { after }: VerifyAuditRequest) {
  return inTenant(app.db, tenantId, async (tx) => {
    const { lastSequence, ...head } = await readHead(tx, tenantId);
    const known =
      after && after.sequence > 0n ? { sequence: after.sequence, hash: Buffer.from(after.hash) } : CHAIN_START;
    let found = known === CHAIN_START ? undefined : await checkKnown(tx, tenantId, known);
    let verified = found ? CHAIN_START : known;
    const limit = verified.sequence + BigInt(ENTRIES_MAX);
    const end = head.sequence < limit ? head.sequence : limit;
    while (!found && verified.sequence < end) {
      ({ verified, found } = await verifyPage(app, tx, tenantId, verified, end));
    }
    if (!found && verified.sequence === head.sequence) found = checkEnd(verified, head, lastSequence);
    return create(VerifyAuditResponseSchema, { verified, head, ...found });
  });
}

/** Whether an entry is as it is known. One that was cut off is missing; what was written in its place has another hash. */
async function checkKnown(tx: Tx, tenantId: string, known: ChainHead): Promise<Finding | undefined> {
  const row = await tx
    .selectFrom("audit_entry")
    .select("hash")
    .where("tenant_id", "=", tenantId)
    .where("sequence", "=", known.sequence)
    .executeTakeFirst();
  if (!row) return { breach: AuditBreach.MISSING, breachSequence: known.sequence };
  return row.hash.equals(known.hash) ? undefined : { breach: AuditBreach.CHANGED, breachSequence: known.sequence };
}

async function verifyPage(app: Pick<App, "secrets">, tx: Tx, tenantId: string, after: ChainHead, end: bigint) {
  const rows = await tx
    .selectFrom("audit_entry")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("sequence", ">", after.sequence)
    .where("sequence", "<=", end)
    .orderBy("sequence")
    .limit(PAGE_SIZE)
    .execute();
  let verified = after;
  for (const row of rows) {
    await giveWay();
    const breachSequence = verified.sequence + 1n;
    if (row.sequence !== breachSequence) return { verified, found: { breach: AuditBreach.MISSING, breachSequence } };
    const isRight = isAsWritten(app.secrets, row, verified.hash);
    if (!isRight) {
      const breach = isRight === undefined ? AuditBreach.KEY_UNKNOWN : AuditBreach.CHANGED;
      return { verified, found: { breach, breachSequence } };
    }
    verified = { sequence: row.sequence, hash: row.hash };
  }
  const isShort = rows.length < PAGE_SIZE && verified.sequence < end;
  const found = isShort ? { breach: AuditBreach.MISSING, breachSequence: verified.sequence + 1n } : undefined;
  return { verified, found };
}

function checkEnd(verified: ChainHead, head: ChainHead, lastSequence: bigint): Finding | undefined {
  if (lastSequence > head.sequence) return { breach: AuditBreach.EXTRA, breachSequence: head.sequence + 1n };
  if (!verified.hash.equals(head.hash)) return { breach: AuditBreach.CHANGED, breachSequence: head.sequence };
  return undefined;
}
