import { fromJsonString } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { catalog } from "../support/catalog.ts";
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

test("a customer has the tax rates that it was put with, as they were written, and loses those that are left out", async () => {
  const { clients } = await setup();
  const taxRates = [
    { name: "VAT", percent: "19", inclusive: false },
    { name: "Levy", percent: "0.50", inclusive: true },
  ];
  const { customer } = await clients.tenant.putCustomer({ customer: { id: "ann", taxRates } });
  expect(customer?.taxRates).toMatchObject(taxRates);
  expect((await clients.tenant.getCustomer({ id: "ann" })).customer).toEqual(customer);
  expect((await clients.tenant.putCustomer({ customer: { id: "ann" } })).customer?.taxRates).toEqual([]);
});

test("a tax rate has a name and a percent from 0 to 100, and a customer has ten at most", async () => {
  const { clients } = await setup();
  const put = (...taxRates: { name: string; percent: string }[]) =>
    refused(clients.tenant.putCustomer({ customer: { id: "ann", taxRates } }));
  const good = { name: "VAT", percent: "100.00" };
  expect(await put(...Array(10).fill(good))).toBeUndefined();
  expect(await put(...Array(11).fill(good))).toMatchObject({ field: "customer.tax_rates" });
  expect(await put(good, { name: "", percent: "1" })).toMatchObject({ field: "customer.tax_rates[1].name" });
  for (const percent of ["", "-1", "100.01", "1e1", "NaN", "1."]) {
    expect(await put({ ...good, percent })).toMatchObject({ code: 3, field: "customer.tax_rates[0].percent" });
  }
});

test("a customer is told of once, whether it was put, subscribed, granted credit, or first seen in usage", async () => {
  const { clients, ownerDb, drain } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  for (const name of ["Ann", "Ann B."]) await clients.tenant.putCustomer({ customer: { id: "put", name } });
  await clients.pricing.startSubscription({ customerId: "subscribed", plan: "pro" });
  await clients.invoice.createCreditGrant({ customerId: "granted", currency: "USD", amount: "1" });
  const ids = ["put", "subscribed", "granted", "seen"];
  const events = ids.map((customerId) => ({ metric: "API_CALL", amount: "1", customerId }));
  for (let i = 0; i < 2; i++) {
    await clients.usage.trackUsage({ events });
    await drain();
  }
  const rows = await ownerDb.selectFrom("outbox_event").selectAll().where("type", "=", "customer.created").execute();
  const told = rows.map(({ data }) => fromJsonString(EventDataSchema, data).customer);
  expect(told.map((customer) => [customer?.id, customer?.name]).sort()).toEqual(
    [
      ["put", "Ann"],
      ["subscribed", ""],
      ["granted", ""],
      ["seen", ""],
    ].sort(),
  );
  expect(rows.map((row) => row.occurred_at)).toEqual(ids.map(() => new Date(TEST_CLOCK)));
  expect((await clients.tenant.getCustomer({ id: "seen" })).customer).toEqual(told.find((one) => one?.id === "seen"));
});
