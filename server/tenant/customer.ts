import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Selectable, sql } from "kysely";
import { BillingSchema, CustomerSchema, type TaxRate, TaxRateSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type ListCustomersRequest, ListCustomersResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Customer as CustomerRow } from "../db/tables.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";

/** The customer as callers see it. */
export function toCustomer(row: Selectable<CustomerRow>) {
  return create(CustomerSchema, {
    id: row.id,
    name: row.name,
    createdAt: timestampFromDate(row.created_at),
    billing: fromJson(BillingSchema, row.billing as JsonValue),
    taxRates: toTaxRates(row),
    ...(row.erasing ? { erasing: true } : {}),
    ...(row.erased_at ? { erasedAt: timestampFromDate(row.erased_at) } : {}),
  });
}

/** One customer, or not-found. */
export async function getCustomer(tx: Tx, tenantId: string, id: string): Promise<Selectable<CustomerRow>> {
  const row = await tx
    .selectFrom("customer")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .executeTakeFirst();
  if (!row) throw notFound("customer", id);
  return row;
}

/** Registers customers that are not known yet, and tells of them. Any number: they are one parameter. */
export async function registerCustomers(tx: Tx, tenantId: string, ids: readonly string[], now: Date): Promise<void> {
  const { rows } = await sql<Selectable<CustomerRow>>`
    insert into customer (tenant_id, id, created_at)
    select ${tenantId}, id, ${now} from unnest(${ids}::text[]) as new (id) order by id
    on conflict on constraint customer_pkey do nothing
    returning *`.execute(tx);
  await tellOfCustomers(tx, tenantId, rows);
}

/** Tells of customers that are new. */
export function tellOfCustomers(tx: Tx, tenantId: string, rows: readonly Selectable<CustomerRow>[]): Promise<void> {
  const events = rows.map((row) => ({
    type: "customer.created" as const,
    occurredAt: row.created_at,
    facts: { customer: toCustomer(row) },
  }));
  return appendEvents(tx, tenantId, events);
}

/** The tax rates of those of the customers that have any. */
export async function taxRatesOf(tx: Tx, tenantId: string, ids: readonly string[]): Promise<Map<string, TaxRate[]>> {
  const { rows } = await sql<Pick<Selectable<CustomerRow>, "id" | "tax_rates">>`
    select id, tax_rates from customer
    where tenant_id = ${tenantId} and id = any(${ids}) and tax_rates <> '[]'`.execute(tx);
  return new Map(rows.map((row) => [row.id, toTaxRates(row)]));
}

function toTaxRates({ tax_rates }: Pick<Selectable<CustomerRow>, "tax_rates">): TaxRate[] {
  return (tax_rates as JsonValue[]).map((rate) => fromJson(TaxRateSchema, rate));
}

/** Ids of the tenant's customers in order, those after `after`. */
export async function customerIds(
  tx: Tx,
  tenantId: string,
  page: { after: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await customersAfter(tx, tenantId, page).execute();
  return rows.map((row) => row.id);
}

/** Customers of the tenant by id. */
export function listCustomers(app: App, tenantId: string, request: ListCustomersRequest) {
  const page = openPage(app, { tenantId, list: "customer" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await customersAfter(tx, tenantId, page).execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListCustomersResponseSchema, { customers: rows.map(toCustomer), nextPageToken });
  });
}

function customersAfter(tx: Tx, tenantId: string, { after, limit }: { after: string | undefined; limit: number }) {
  return tx
    .selectFrom("customer")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .$if(after !== undefined, (query) => query.where("id", ">", after as string))
    .orderBy("id")
    .limit(limit);
}
