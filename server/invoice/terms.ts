import type { JsonValue } from "@bufbuild/protobuf";
import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { formatId, parseId } from "../id.ts";
import { covers, type DiscountRow, discountsOf } from "../pricing/discount.ts";
import { taxRatesOf } from "../tenant/customer.ts";
import type { CreditGrantRow } from "./credit.ts";
import type { InvoiceRow } from "./invoice.ts";
import { taxesFromJson } from "./invoice-tax.ts";
import type { CreditTerms, DiscountTerms, Terms } from "./settlement.ts";

// Where the terms of a settlement come from: for a draft, from what holds now; for a final invoice, from its document.

/**
 * The terms of drafts as they are now, each as if it were the only one. A few statements, however many drafts there are.
 * With `finalizedAt` the drafts become final then: their credits are locked until the transaction ends, so that nobody
 * else draws them. Without it, credits count that last until the drafts' own time comes.
 */
export async function termsOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly InvoiceRow[],
  finalizedAt?: Date,
): Promise<Terms[]> {
  if (drafts.length === 0) return [];
  const customerIds = [...new Set(drafts.map((draft) => draft.customer_id))];
  const ratesOf = await taxRatesOf(tx, tenantId, customerIds);
  const discounts = await discountsOf(tx, tenantId, [...new Set(drafts.map((draft) => draft.subscription_id))]);
  const used = await usedOf(tx, tenantId, discounts);
  const credits = await creditsOf(tx, tenantId, customerIds, finalizedAt !== undefined);
  const discountsBy = Map.groupBy(discounts, (discount) => discount.subscription_id);
  const creditsBy = Map.groupBy(credits, (credit) => credit.customer_id);
  return drafts.map((draft) => {
    const at = finalizedAt ?? draft.finalize_at;
    return {
      currency: draft.currency,
      discounts: (discountsBy.get(draft.subscription_id) ?? [])
        .filter((discount) => covers(discount, draft))
        .filter((discount) => discount.amount_minor === null || discount.currency === draft.currency)
        .map((discount) => discountTerms(discount, used.get(usedKey(discount.id, draft)) ?? 0n)),
      taxRates: ratesOf.get(draft.customer_id) ?? [],
      credits: (creditsBy.get(draft.customer_id) ?? [])
        .filter((credit) => credit.currency === draft.currency)
        .filter((credit) => credit.expires_at === null || credit.expires_at > at)
        .map(({ id, note, remaining_minor }) => ({ grantId: id, note, leftMinor: remaining_minor })),
    };
  });
}

/** Names the period that a discount's amount is for: the full one, so that its parts share it however it is cut. */
export function discountPeriod({ full_period_start }: Pick<InvoiceRow, "full_period_start">): string {
  return full_period_start.toISOString();
}

function discountTerms({ id, name, percent, amount_minor }: DiscountRow, usedMinor: bigint): DiscountTerms {
  const leftMinor = amount_minor === null ? null : amount_minor - usedMinor;
  return { id: formatId("dsc", id), name, percent, leftMinor };
}

/**
 * What invoices that stand used of amounts, by discount and period. Invoices of one subscription are not finalized at the
 * same time: who finalizes holds the tenant's FINALIZE_INVOICES.
 */
async function usedOf(tx: Tx, tenantId: string, discounts: readonly DiscountRow[]): Promise<Map<string, bigint>> {
  const ids = discounts.filter((discount) => discount.amount_minor !== null).map((discount) => discount.id);
  if (ids.length === 0) return new Map();
  const { rows } = await sql<{ discount_id: string; full_period_start: Date; used_minor: bigint }>`
    select discount_id, full_period_start, (-sum(amount_minor))::bigint as used_minor
    from invoice_line
    join invoice on invoice.tenant_id = invoice_line.tenant_id and invoice.id = invoice_id
    where invoice_line.tenant_id = ${tenantId} and discount_id = any(${ids}) and state <> 'VOID'
    group by discount_id, full_period_start`.execute(tx);
  return new Map(rows.map((row) => [usedKey(row.discount_id, row), row.used_minor]));
}

function usedKey(discountId: string, period: Pick<InvoiceRow, "full_period_start">): string {
  return `${discountId} ${discountPeriod(period)}`;
}

/** Credits of which something is left, in the order in which they are drawn. */
async function creditsOf(
  tx: Tx,
  tenantId: string,
  customerIds: readonly string[],
  forUpdate: boolean,
): Promise<CreditGrantRow[]> {
  const rows = await tx
    .selectFrom("credit_grant")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`customer_id = any(${customerIds})`)
    .where("remaining_minor", ">", 0n)
    .orderBy("id") // in the order of ids, as everyone who locks several: so nobody waits in a circle
    .$if(forUpdate, (query) => query.forUpdate())
    .execute();
  return rows.sort(inDrawingOrder);
}

/** By priority; then what expires first; then the oldest. Rows of the same time stay in the order of their ids. */
function inDrawingOrder(a: CreditGrantRow, b: CreditGrantRow): number {
  const expiry = (row: CreditGrantRow) => row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY;
  if (a.priority !== b.priority) return a.priority - b.priority;
  if (expiry(a) !== expiry(b)) return expiry(a) - expiry(b);
  return a.created_at.getTime() - b.created_at.getTime();
}

/** The terms of discounts as a document keeps them. */
export function discountsToJson(discounts: readonly DiscountTerms[]): JsonValue[] {
  return discounts.map(({ id, name, percent, leftMinor }) => ({
    id,
    name,
    percent,
    leftMinor: leftMinor?.toString() ?? null,
  }));
}

function discountsFromJson(json: JsonValue): DiscountTerms[] {
  return (json as { id: string; name: string; percent: string | null; leftMinor: string | null }[]).map((kept) => ({
    ...kept,
    leftMinor: kept.leftMinor === null ? null : BigInt(kept.leftMinor),
  }));
}

/** The terms that a final invoice keeps, and what the ledger says that it drew. */
export function keptTerms(
  { currency }: Pick<InvoiceRow, "currency">,
  document: { discounts: unknown; taxes: unknown },
  credits: readonly CreditTerms[],
): Terms {
  return {
    currency,
    discounts: discountsFromJson(document.discounts as JsonValue),
    taxRates: taxesFromJson(document.taxes),
    credits,
  };
}

/** The UUID of the discount that a line takes off, if it does. */
export function discountOf({ discountId }: { discountId: string }): string | null {
  return parseId("dsc", discountId) ?? null;
}
