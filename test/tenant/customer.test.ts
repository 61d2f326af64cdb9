import { timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { setup, TEST_CLOCK } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

test("a customer is created at the tenant's time; putting it again replaces what is known and keeps that time", async () => {
  const { clients, advanceTo } = await setup();
  const first = await clients.tenant.putCustomer({ customer: { id: "user_123", name: "Ann" } });
  expect(first.customer).toMatchObject({ id: "user_123", name: "Ann" });
  expect(timestampDate(first.customer?.createdAt as never)).toEqual(new Date(TEST_CLOCK));
  await advanceTo("2015-05-22T00:00:00Z");
  const second = await clients.tenant.putCustomer({ customer: { id: "user_123" } });
  expect(second.customer).toEqual({ ...first.customer, name: "" });
  expect((await clients.tenant.getCustomer({ id: "user_123" })).customer).toEqual(second.customer);
});

test("ids are any text, told apart exactly, and listed in the order of their bytes", async () => {
  const { clients } = await setup();
  const ids = ["b", "B", "a", "ä", "user 1", "%41", "a\u0308", "😀", "x".repeat(255)];
  for (const id of ids) await clients.tenant.putCustomer({ customer: { id } });
  const listed = (await clients.tenant.listCustomers({})).customers.map((customer) => customer.id);
  expect(listed).toEqual([...ids].sort((one, two) => Buffer.compare(Buffer.from(one), Buffer.from(two))));
  for (const id of ids) expect((await clients.tenant.getCustomer({ id })).customer?.id).toBe(id);
});

test("a customer that is not there, or is another tenant's, is not found", async () => {
  const { clients, clientsFor, tenant } = await setup();
  await clients.tenant.putCustomer({ customer: { id: "user_123" } });
  const absent = { code: 5, reason: ErrorReason.NOT_FOUND, field: "" };
  expect(await refused(clients.tenant.getCustomer({ id: "user_124" }))).toEqual(absent);
  expect(await refused(clientsFor(tenant.liveKey).tenant.getCustomer({ id: "user_123" }))).toEqual(absent);
});

test("a customer needs an id, and nothing is longer than it may be", async () => {
  const { clients, ownerDb } = await setup();
  const put = (customer?: { id: string; name?: string }) =>
    refused(clients.tenant.putCustomer(customer ? { customer } : {}));
  expect(await put()).toMatchObject({ code: 3, field: "customer" });
  expect(await put({ id: "" })).toMatchObject({ code: 3, field: "customer.id" });
  expect(await put({ id: "x".repeat(256) })).toMatchObject({ code: 3, field: "customer.id" });
  expect(await put({ id: "c", name: "x".repeat(256) })).toMatchObject({ code: 3, field: "customer.name" });
  expect(await put({ id: "c", name: "a\0" })).toMatchObject({ code: 3, field: "customer.name" });
  expect(await ownerDb.selectFrom("customer").selectAll().execute()).toEqual([]);
});

test("billing details are kept as they are given, and go when they are left out", async () => {
  const { clients } = await setup();
  const billing = {
    buyer: { name: "Łódź sp. z o.o.", address: ["ul. Piotrkowska 1"], taxId: "PL1", email: "a@lodz.test" },
    purchaseOrder: "PO 7",
    paymentTermsDays: 0,
  };
  const { customer } = await clients.tenant.putCustomer({ customer: { id: "c", name: "C", billing } });
  expect(customer).toMatchObject({ name: "C", billing });
  expect((await clients.tenant.listCustomers({})).customers).toEqual([customer]);
  const bare = (await clients.tenant.putCustomer({ customer: { id: "c", name: "C" } })).customer;
  expect(bare?.billing).toMatchObject({ purchaseOrder: "" });
  expect(bare?.billing?.paymentTermsDays).toBeUndefined();
  const long = { id: "c", billing: { paymentTermsDays: 366 } };
  expect(await refused(clients.tenant.putCustomer({ customer: long }))).toMatchObject({
    field: "customer.billing.payment_terms_days",
  });
});
