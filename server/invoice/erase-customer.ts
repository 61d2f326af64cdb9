import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { BillingSchema, CustomerSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { type EraseCustomerRequest, EraseCustomerResponseSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore, noteUnchanged } from "../rpc/change-note.ts";
import { stateConflict } from "../rpc/errors.ts";
import { getCustomer, toCustomer } from "../tenant/customer.ts";
import { askErasure } from "../tenant/customer-erasure.ts";

/** Empties a customer, and has the copies of what it said looked for. While it is still to be billed, that is refused. */
export function eraseCustomer(app: App, caller: Caller, { id }: EraseCustomerRequest) {
  const { tenantId } = caller;
  return change(app, caller, EraseCustomerResponseSchema, async (tx) => {
    await tx
      .selectFrom("customer")
      .select("id")
      .where("tenant_id", "=", tenantId)
      .where("id", "=", id)
      .forUpdate()
      .execute();
    const before = await getCustomer(tx, tenantId, id);
    if (before.erasing) {
      noteUnchanged(tx);
      return create(EraseCustomerResponseSchema, { customer: toCustomer(before) });
    }
    await checkBilled(tx, tenantId, id);
    const now = app.clock.now();
    const { paymentTermsDays } = fromJson(BillingSchema, before.billing as JsonValue);
    const billing = create(BillingSchema, paymentTermsDays === undefined ? {} : { paymentTermsDays });
    const row = await tx
      .updateTable("customer")
      .set({ name: "", billing: JSON.stringify(toJson(BillingSchema, billing)), erased_at: now, erasing: true })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await askErasure(tx, { tenantId, customerId: id }, now);
    // The log is told that it was done, and not what it was done to.
    noteBefore(tx, CustomerSchema, toCustomer({ ...row, erased_at: before.erased_at, erasing: false }));
    return create(EraseCustomerResponseSchema, { customer: toCustomer(row) });
  });
}

/** Refuses while an invoice is to come that has to say who buys. */
async function checkBilled(tx: Tx, tenantId: string, id: string): Promise<void> {
  const subscription = await tx
    .selectFrom("subscription")
    .select("id")
    .where("tenant_id", "=", tenantId)
    .where("customer_id", "=", id)
    .where("due_at", "is not", null)
    .limit(1)
    .executeTakeFirst();
  if (subscription) {
    throw stateConflict(`customer "${id}" has a subscription that goes on or is still to be invoiced; end it first`);
  }
  const draft = await tx
    .selectFrom("invoice")
    .select("id")
    .where("tenant_id", "=", tenantId)
    .where("customer_id", "=", id)
    .where("state", "=", "DRAFT")
    .limit(1)
    .executeTakeFirst();
  if (draft) throw stateConflict(`customer "${id}" has an invoice that is a draft; finalize it first`);
}
