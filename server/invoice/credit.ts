import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { type CreditGrant, CreditGrantSchema, CreditSource } from "../../gen/usageflow/v1/credit_pb.ts";
import {
  type ListCreditGrantsRequest,
  ListCreditGrantsResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { CreditGrant as CreditGrantTable } from "../db/tables.ts";
import { formatId, newId, parseId } from "../id.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { makeDue } from "../tenant/due.ts";

// A credit's life:
//
//   granted ──finalizeDrafts──▶ drawn, in parts ──voidInvoice──▶ returned, and drawn again
//      └──expireCredits, revokeCreditGrant──▶ what is left goes
//
// Each step is a row of `credit_entry`; `remaining_minor` is their sum. See `credit-entry.ts`.

/** A row of `credit_grant`. */
export type CreditGrantRow = Selectable<CreditGrantTable>;

const PRIORITY_DEFAULT = 50;

/** A credit to grant. */
export interface NewCredit {
  customerId: string;
  currency: string;
  /** More than 0. */
  amountMinor: bigint;
  source: Exclude<keyof typeof CreditSource, "UNSPECIFIED">;
  /** 1 to 100: lower ones are drawn first. */
  priority?: number;
  /** Tenant time. */
  expiresAt?: Date | null;
  note?: string;
  /** The invoice that it comes from. */
  invoiceId?: string | null;
}

/** Grants one credit at `now`, in tenant time. The customer exists. */
export async function grantCredit(tx: Tx, tenantId: string, credit: NewCredit, now: Date): Promise<CreditGrant> {
  const [grant] = await grantCredits(tx, tenantId, [credit], now);
  return grant as CreditGrant;
}

/** Grants credits at `now`, each with its first entry in the ledger, and tells of them. */
export async function grantCredits(
  tx: Tx,
  tenantId: string,
  credits: readonly NewCredit[],
  now: Date,
): Promise<CreditGrant[]> {
  if (credits.length === 0) return [];
  const rows = credits.map((credit) => rowOf(tenantId, credit, now));
  await tx.insertInto("credit_grant").values(rows).execute();
  const entries = rows.map((row) => ({
    tenant_id: tenantId,
    id: newId(),
    grant_id: row.id,
    customer_id: row.customer_id,
    kind: "GRANTED",
    amount_minor: row.amount_minor,
    invoice_id: row.invoice_id,
    entered_at: now,
    note: row.note,
  }));
  await tx.insertInto("credit_entry").values(entries).execute();
  for (const row of rows) await makeDue(tx, tenantId, "EXPIRE_CREDITS", row.expires_at);
  const grants = rows.map(toCreditGrant);
  const events = grants.map((creditGrant) => ({
    type: "credit.granted" as const,
    occurredAt: now,
    facts: { creditGrant },
  }));
  await appendEvents(tx, tenantId, events);
  return grants;
}

function rowOf(tenantId: string, credit: NewCredit, now: Date): CreditGrantRow {
  return {
    tenant_id: tenantId,
    id: newId(),
    customer_id: credit.customerId,
    currency: credit.currency,
    source: credit.source,
    priority: credit.priority ?? PRIORITY_DEFAULT,
    amount_minor: credit.amountMinor,
    remaining_minor: credit.amountMinor,
    expires_at: credit.expiresAt ?? null,
    note: credit.note ?? "",
    invoice_id: credit.invoiceId ?? null,
    created_at: now,
    revoked_at: null,
  };
}

/** The grant as callers see it. */
export function toCreditGrant(row: CreditGrantRow): CreditGrant {
  return create(CreditGrantSchema, {
    id: formatId("crg", row.id),
    customerId: row.customer_id,
    currency: row.currency,
    amountMinor: row.amount_minor,
    remainingMinor: row.remaining_minor,
    source: CreditSource[row.source as keyof typeof CreditSource],
    priority: row.priority,
    ...(row.expires_at ? { expiresAt: timestampFromDate(row.expires_at) } : {}),
    note: row.note,
    invoiceId: row.invoice_id ? formatId("inv", row.invoice_id) : "",
    createdAt: timestampFromDate(row.created_at),
    ...(row.revoked_at ? { revokedAt: timestampFromDate(row.revoked_at) } : {}),
  });
}

/** One grant, locked until the transaction ends; or not-found. */
export async function lockCreditGrant(tx: Tx, tenantId: string, id: string): Promise<CreditGrantRow> {
  const uuid = parseId("crg", id);
  const row = uuid && (await grants(tx, tenantId).where("id", "=", uuid).forUpdate().executeTakeFirst());
  if (!row) throw notFound("credit grant", id);
  return row;
}

/** Credit grants of the tenant, or of one of its customers, oldest first. */
export function listCreditGrants(app: App, tenantId: string, request: ListCreditGrantsRequest) {
  const page = openPage(app, { tenantId, list: "credit_grant" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await grants(tx, tenantId)
      .$if(request.customerId !== "", (query) => query.where("customer_id", "=", request.customerId))
      .$if(page.after !== undefined, (query) => query.where("id", ">", page.after as string))
      .orderBy("id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListCreditGrantsResponseSchema, { creditGrants: rows.map(toCreditGrant), nextPageToken });
  });
}

function grants(tx: Tx, tenantId: string) {
  return tx.selectFrom("credit_grant").selectAll().where("tenant_id", "=", tenantId);
}
