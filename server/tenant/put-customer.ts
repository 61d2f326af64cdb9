import { create, toJson } from "@bufbuild/protobuf";
import { BillingSchema, type Customer } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type PutCustomerRequest, PutCustomerResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { toCustomer } from "./customer.ts";
import { tenantNow } from "./tenant-clock.ts";

/** Creates a customer, or replaces what is known of it. */
export function putCustomer(app: App, caller: Caller, request: PutCustomerRequest) {
  const { id, name, billing: given } = request.customer as Customer; // required by the contract
  const billing = JSON.stringify(toJson(BillingSchema, given ?? create(BillingSchema)));
  return change(app, caller, PutCustomerResponseSchema, async (tx) => {
    const row = await tx
      .insertInto("customer")
      .values({
        tenant_id: caller.tenantId,
        id,
        name,
        billing,
        created_at: await tenantNow(tx, caller.tenantId, app.clock),
      })
      .onConflict((conflict) => conflict.constraint("customer_pkey").doUpdateSet({ name, billing }))
      .returningAll()
      .executeTakeFirstOrThrow();
    return create(PutCustomerResponseSchema, { customer: toCustomer(row) });
  });
}
