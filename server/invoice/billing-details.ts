import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import { type Billing, BillingSchema, type Party, PartySchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import type { InvoiceDocument } from "../db/tables.ts";
import type { InvoiceRow } from "./invoice.ts";

const DAY_MS = 86_400_000;

/** What an invoice says besides what it bills: fields of its message. */
export interface BillingDetails {
  seller: Party;
  buyer: Party;
  purchaseOrder: string;
  memo: string;
  /** Absent on documents from before there were payment terms. */
  dueAt?: Timestamp;
  /** The subscription's, which never changes. */
  timeZone: string;
}

/** The same as columns of `invoice_document`. */
export type DetailsColumns = Pick<
  Selectable<InvoiceDocument>,
  "seller" | "buyer" | "purchase_order" | "due_at" | "memo"
>;

/** The details of drafts as they are now, in the order of the drafts. `finalizedAt`: when they are finalized just now. */
export async function detailsOfDrafts(
  tx: Tx,
  tenantId: string,
  drafts: readonly Pick<InvoiceRow, "customer_id" | "subscription_id" | "finalize_at">[],
  finalizedAt?: Date,
): Promise<BillingDetails[]> {
  if (drafts.length === 0) return [];
  const tenant = await tx
    .selectFrom("tenant")
    .select(["seller", "payment_terms_days", "memo"])
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  const billingOf = await billingsOf(tx, tenantId, new Set(drafts.map((draft) => draft.customer_id)));
  const timeZones = await timeZonesOf(tx, tenantId, new Set(drafts.map((draft) => draft.subscription_id)));
  return drafts.map(({ customer_id, subscription_id, finalize_at }) => {
    const { buyer, purchaseOrder, paymentTermsDays = tenant.payment_terms_days } = billingOf(customer_id);
    return {
      seller: fromJson(PartySchema, tenant.seller as JsonValue),
      buyer: buyer ?? create(PartySchema),
      purchaseOrder,
      memo: tenant.memo,
      dueAt: timestampFromDate(plusMs(finalizedAt ?? finalize_at, paymentTermsDays * DAY_MS)),
      timeZone: timeZones.get(subscription_id) as string,
    };
  });
}

/** The time zones of subscriptions by their ids. */
async function timeZonesOf(tx: Tx, tenantId: string, subscriptionIds: ReadonlySet<string>) {
  const rows = await tx
    .selectFrom("subscription")
    .select(["id", "time_zone"])
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`id = any(${[...subscriptionIds]})`)
    .execute();
  return new Map(rows.map((row) => [row.id, row.time_zone]));
}

/** The billing details of customers; the buyer has a name where the customer has one. */
async function billingsOf(
  tx: Tx,
  tenantId: string,
  customerIds: ReadonlySet<string>,
): Promise<(customerId: string) => Billing> {
  const rows = await tx
    .selectFrom("customer")
    .select(["id", "name", "billing"])
    .where("tenant_id", "=", tenantId)
    .where(sql<boolean>`id = any(${[...customerIds]})`)
    .execute();
  const billings = new Map(
    rows.map(({ id, name, billing: json }) => {
      const billing = fromJson(BillingSchema, json as JsonValue);
      const buyer = billing.buyer ?? create(PartySchema);
      return [id, { ...billing, buyer: { ...buyer, name: buyer.name || name } }];
    }),
  );
  return (customerId) => billings.get(customerId) ?? create(BillingSchema);
}

/** The details that a document keeps. */
export function storedDetails(row: DetailsColumns & { time_zone: string }): BillingDetails {
  return {
    seller: fromJson(PartySchema, row.seller as JsonValue),
    buyer: fromJson(PartySchema, row.buyer as JsonValue),
    purchaseOrder: row.purchase_order,
    memo: row.memo,
    timeZone: row.time_zone,
    ...(row.due_at ? { dueAt: timestampFromDate(row.due_at) } : {}),
  };
}

/** The details as a document keeps them. */
export function detailsColumns({ seller, buyer, purchaseOrder, memo, dueAt }: BillingDetails) {
  return {
    seller: JSON.stringify(toJson(PartySchema, seller)),
    buyer: JSON.stringify(toJson(PartySchema, buyer)),
    purchase_order: purchaseOrder,
    memo,
    due_at: dueAt ? timestampDate(dueAt) : null,
  };
}
