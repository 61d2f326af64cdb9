import { create, toJson } from "@bufbuild/protobuf";
import { BillingSchema, type Customer, CustomerSchema, TaxRateSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type PutCustomerRequest, PutCustomerResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { tellOfCustomers, toCustomer } from "./customer.ts";
import { tenantNow } from "./tenant-clock.ts";

/** Creates a customer and tells of it, or replaces what is known of it. */
export function putCustomer(app: App, caller: Caller, request: PutCustomerRequest) {
  const { tenantId } = caller;
  const { id, name, taxRates, billing } = request.customer as Customer; // required by the contract
  const known = {
    name,
    tax_rates: JSON.stringify(taxRates.map((rate) => toJson(TaxRateSchema, rate))),
    billing: JSON.stringify(toJson(BillingSchema, billing ?? create(BillingSchema))),
  };
  return change(app, caller, PutCustomerResponseSchema, async (tx) => {
    const created = await tx
      .insertInto("customer")
      .values({ tenant_id: tenantId, id, ...known, created_at: await tenantNow(tx, tenantId, app.clock) })
      .onConflict((conflict) => conflict.constraint("customer_pkey").doNothing())
      .returningAll()
      .executeTakeFirst();
    if (created) await tellOfCustomers(tx, tenantId, [created]);
    const row = created ?? (await replace(tx, tenantId, id, known));
    return create(PutCustomerResponseSchema, { customer: toCustomer(row) });
  });
}

async function replace(
  tx: Tx,
  tenantId: string,
  id: string,
  known: { name: string; tax_rates: string; billing: string },
) {
  const before = await tx
    .selectFrom("customer")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  noteBefore(tx, CustomerSchema, toCustomer(before));
  return tx
    .updateTable("customer")
    .set({ ...known, erased_at: null })
    .where("tenant_id", "=", tenantId)
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
