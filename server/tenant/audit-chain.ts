import { createHash } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { AuditEntry as AuditEntryRow } from "../db/tables.ts";

// The audit log of a tenant is a chain: the hash of an entry is keyed, and made of the entry and of the hash before it. Who
// has the database alone cannot make one that fits.

/** An entry to write. */
export interface NewAuditEntry {
  /** The method, such as `VoidInvoice`. */
  action: string;
  /** Who, as people see their id. Empty: nobody that is known. */
  actor: string;
  /** The key they came with, as people see its id. */
  keyId: string;
  address: string;
  requestId: string;
  /** Id of what was changed. */
  subject: string;
  /** Why it was refused. Empty: it was done. */
  refusal: string;
  /** Refusals before this one that have no entry. */
  leftOutCount: number;
  /** Request, before and after, as JSON. */
  detail: string;
}

/** The end of a chain. */
export interface ChainHead {
  sequence: bigint;
  hash: Buffer;
}

/** Where a chain begins. */
export const CHAIN_START: ChainHead = { sequence: 0n, hash: Buffer.alloc(0) };

/**
 * Adds an entry to the chain of a place: it is there if, and only if, the transaction commits. Called last, because the
 * chain's end stays locked from here on, and every other writer of the place waits for it.
 */
export async function appendAudit(
  app: Pick<App, "clock" | "secrets">,
  tx: Tx,
  place: string,
  entry: NewAuditEntry,
): Promise<ChainHead> {
  const head = await takeHead(tx, place);
  const row = {
    tenant_id: place,
    sequence: head.sequence + 1n,
    recorded_at: app.clock.now(),
    action: entry.action,
    actor: entry.actor,
    key_id: entry.keyId,
    address: entry.address,
    request_id: entry.requestId,
    subject: entry.subject,
    refusal: entry.refusal,
    left_out_count: BigInt(entry.leftOutCount),
    detail: entry.detail,
  };
  const hash = app.secrets.sign(signedBytes(row, head.hash));
  await tx
    .with("moved", (query) =>
      query.updateTable("audit_head").set({ sequence: row.sequence, hash }).where("tenant_id", "=", place),
    )
    .insertInto("audit_entry")
    .values({ ...row, hash })
    .execute();
  return { sequence: row.sequence, hash };
}

/**
 * Whether an entry is what was written in this place of its chain, or what an erasure left of that. Undefined: nobody here
 * can tell, for want of the key.
 */
export function isAsWritten(
  secrets: App["secrets"],
  { hash, ...row }: Selectable<AuditEntryRow>,
  before: Uint8Array,
): boolean | undefined {
  const isSigned = secrets.isSigned(signedBytes(row, before), hash);
  if (!isSigned || !row.original_digest || !row.erasure) return isSigned;
  return secrets.isSigned(erasedBytes(row, row.detail, row.original_digest), row.erasure);
}

/** What the signature under an erasure is made of: which entry it is, what it said, and what it says now. */
export function erasedBytes(
  { tenant_id, sequence }: Pick<Selectable<AuditEntryRow>, "tenant_id" | "sequence">,
  detail: string,
  originalDigest: Uint8Array,
): Buffer {
  const digests = [Buffer.from(originalDigest), digestOf(detail)].map((digest) => digest.toString("hex"));
  return Buffer.from(JSON.stringify(["erased", tenant_id, sequence.toString(), ...digests]));
}

/** What stands for the detail of an entry in its hash. */
export function digestOf(detail: string): Buffer {
  return createHash("sha256").update(detail).digest();
}

type Signed = Omit<Selectable<AuditEntryRow>, "hash" | "original_digest" | "erasure"> &
  Partial<Pick<Selectable<AuditEntryRow>, "original_digest">>;

/** What an entry's hash is made of. */
function signedBytes(row: Signed, before: Uint8Array): Buffer {
  const text = JSON.stringify([
    row.tenant_id,
    row.sequence.toString(),
    row.recorded_at.toISOString(),
    row.action,
    row.actor,
    row.key_id,
    row.address,
    row.request_id,
    row.subject,
    row.refusal,
    row.left_out_count.toString(),
    (row.original_digest ?? digestOf(row.detail)).toString("hex"),
  ]);
  return Buffer.concat([before, Buffer.from(text)]);
}

/** Adds an entry of what the operator does with the database's own login: there is no call, and no key but theirs. */
export function appendOperatorAudit(
  app: Pick<App, "clock" | "secrets">,
  tx: Tx,
  place: string,
  { action, subject }: Pick<NewAuditEntry, "action" | "subject">,
): Promise<ChainHead> {
  const operator = { actor: "operator", keyId: "operator", address: "", requestId: "" };
  return appendAudit(app, tx, place, { action, subject, ...operator, refusal: "", leftOutCount: 0, detail: "{}" });
}

/** The end of a chain, and the last entry that there is: the same, where nobody meddled. */
export async function readHead(tx: Tx, place: string): Promise<ChainHead & { lastSequence: bigint }> {
  const { rows } = await sql<{ sequence: bigint | null; hash: Buffer | null; last: bigint }>`
    select head.sequence, head.hash,
      (select coalesce(max(sequence), 0) from audit_entry where tenant_id = ${place}) as last
    from (select) as one left join audit_head head on head.tenant_id = ${place}`.execute(tx);
  const [row] = rows;
  const head = row?.hash ? { sequence: row.sequence ?? 0n, hash: row.hash } : CHAIN_START;
  return { ...head, lastSequence: row?.last ?? 0n };
}

async function takeHead(tx: Tx, place: string): Promise<ChainHead> {
  const take = () =>
    tx.selectFrom("audit_head").select(["sequence", "hash"]).where("tenant_id", "=", place).forUpdate();
  const head = await take().executeTakeFirst();
  if (head) return head;
  await tx
    .insertInto("audit_head")
    .values({ tenant_id: place, ...CHAIN_START })
    .onConflict((conflict) => conflict.constraint("audit_head_pkey").doNothing())
    .execute();
  return take().executeTakeFirstOrThrow();
}
