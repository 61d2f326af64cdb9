import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { CreditEntryKind, CreditEntrySchema } from "../../gen/usageflow/v1/credit_pb.ts";
import {
  type ListCreditEntriesRequest,
  ListCreditEntriesResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { formatId, newId, parseId } from "../id.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { openPage } from "../rpc/page.ts";
import { type CreditGrantRow, toCreditGrant } from "./credit.ts";

/** A movement to enter. */
export interface NewEntry {
  grantId: string;
  kind: "DRAWN" | "RETURNED" | "EXPIRED" | "REVOKED";
  /** What it adds to the grant; negative: what it takes. */
  amountMinor: bigint;
  invoiceId?: string | null;
  note?: string;
}

/**
 * Moves credits at `now`: what is left of each grant and the ledger change in one statement, and so can't differ. Tells of
 * grants of which nothing is left. The database refuses to take more than there is.
 */
export async function moveCredits(tx: Tx, tenantId: string, entries: readonly NewEntry[], now: Date): Promise<void> {
  if (entries.length === 0) return;
  const { rows } = await sql<CreditGrantRow>`
    with entry as (
      select * from unnest(
        ${entries.map(() => newId())}::uuid[],
        ${entries.map((entry) => entry.grantId)}::uuid[],
        ${entries.map((entry) => entry.kind)}::text[],
        ${entries.map((entry) => entry.amountMinor)}::bigint[],
        ${entries.map((entry) => entry.invoiceId ?? null)}::uuid[],
        ${entries.map((entry) => entry.note ?? "")}::text[]
      ) as entry (id, grant_id, kind, amount_minor, invoice_id, note)
    ), change as (
      select grant_id, sum(amount_minor)::bigint as minor from entry group by grant_id
    ), moved as (
      update credit_grant set remaining_minor = remaining_minor + minor
      from change
      where credit_grant.tenant_id = ${tenantId} and credit_grant.id = change.grant_id
      returning credit_grant.*
    ), entered as (
      insert into credit_entry
        (tenant_id, id, grant_id, customer_id, kind, amount_minor, invoice_id, entered_at, note)
      select moved.tenant_id, entry.id, grant_id, customer_id, kind, entry.amount_minor, entry.invoice_id, ${now}, entry.note
      from entry join moved on moved.id = grant_id
    )
    select moved.* from moved join change on grant_id = moved.id where remaining_minor = 0 and minor < 0
    order by moved.id`.execute(tx);
  const events = rows.map((row) => ({
    type: "credit.depleted" as const,
    occurredAt: now,
    facts: { creditGrant: toCreditGrant(row) },
  }));
  await appendEvents(tx, tenantId, events);
}

/** The ledger of the tenant, of a customer, or of a grant, oldest first. */
export function listCreditEntries(app: App, tenantId: string, request: ListCreditEntriesRequest) {
  const page = openPage(app, { tenantId, list: "credit_entry" }, request);
  const { customerId, grantId } = request;
  const grant = parseId("crg", grantId) ?? null; // one that is none has no entries
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await selectEntries(tx, tenantId)
      .$if(customerId !== "", (query) => query.where("credit_entry.customer_id", "=", customerId))
      .$if(grantId !== "", (query) => query.where("grant_id", "=", grant))
      .$if(page.after !== undefined, (query) => query.where("credit_entry.id", ">", page.after as string))
      .orderBy("credit_entry.id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListCreditEntriesResponseSchema, { creditEntries: rows.map(toCreditEntry), nextPageToken });
  });
}

function selectEntries(tx: Tx, tenantId: string) {
  return tx
    .selectFrom("credit_entry")
    .innerJoin("credit_grant", (join) =>
      join
        .onRef("credit_grant.tenant_id", "=", "credit_entry.tenant_id")
        .onRef("credit_grant.id", "=", "credit_entry.grant_id"),
    )
    .leftJoin("invoice_document", (join) =>
      join
        .onRef("invoice_document.tenant_id", "=", "credit_entry.tenant_id")
        .onRef("invoice_document.invoice_id", "=", "credit_entry.invoice_id"),
    )
    .selectAll("credit_entry")
    .select(["credit_grant.currency", "invoice_document.number"])
    .where("credit_entry.tenant_id", "=", tenantId);
}

type EntryRow = Awaited<ReturnType<ReturnType<typeof selectEntries>["executeTakeFirstOrThrow"]>>;

function toCreditEntry(row: EntryRow) {
  return create(CreditEntrySchema, {
    grantId: formatId("crg", row.grant_id),
    kind: CreditEntryKind[row.kind as keyof typeof CreditEntryKind],
    amountMinor: row.amount_minor,
    currency: row.currency,
    invoiceId: row.invoice_id ? formatId("inv", row.invoice_id) : "",
    invoiceNumber: row.number ?? "",
    at: timestampFromDate(row.entered_at),
    note: row.note,
    customerId: row.customer_id,
  });
}
