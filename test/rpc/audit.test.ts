import { randomBytes } from "node:crypto";
import { getOption } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import { sql } from "kysely";
import { expect, test } from "vitest";
import type { AuditEntry } from "../../gen/usageflow/v1/audit_pb.ts";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { permission, place, Role, subject, unaudited } from "../../gen/usageflow/v1/permission_pb.ts";
import { Aggregation, ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, setup } from "../support/harness.ts";
import { watchedClients } from "../support/open-api.ts";
import { startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { services } from "../support/services.ts";

const methods = services.flatMap((service) => service.methods);
const writes = methods.filter((method) => getOption(method, permission).endsWith(":write"));
const audited = writes.filter((one) => getOption(one, subject) && !getOption(one, place)).map(({ name }) => name);

const entriesOf = async ({ clients }: Pick<Harness, "clients">) =>
  (await clients.tenant.listAuditEntries({ pageSize: 1_000 })).auditEntries;

test("every method that writes names the subject of its entry, or says why it leaves none", () => {
  const wrong = methods.filter((method) => {
    const says = [getOption(method, subject), getOption(method, unaudited)].filter((text) => text !== "");
    return says.length !== (writes.includes(method) ? 1 : 0);
  });
  expect(wrong.map((method) => method.name)).toEqual([]);
});

/** What an entry says of the thing: it was made, it changed, or it is gone. */
type Fate = "made" | "changed" | "gone";
const fateOf = ({ before, after }: AuditEntry): Fate => (before ? (after ? "changed" : "gone") : "made");

test("every method that writes leaves one entry, without secrets, and a repeated call none", async () => {
  const receiver = await startReceiver();
  const harness = await setup({ config: { emulator: true } });
  const { clients, problems } = watchedClients(harness.api.url, harness.tenant.testKey);
  const { tenant, pricing, usage, invoice, webhook } = clients;
  const header = `Bearer ${randomBytes(16).toString("hex")}`;
  const ownSecret = `whsec_${randomBytes(32).toString("base64")}`;
  const secrets = [header, ownSecret, harness.tenant.testKey];
  const fates: [string, Fate, string][] = [];
  const step = async <Answer>(name: string, call: (options: CallOptions) => Promise<Answer>): Promise<Answer> => {
    const before = await entriesOf(harness);
    const made = await call({ headers: { "idempotency-key": name } });
    await call({ headers: { "idempotency-key": name } });
    const [entry, ...others] = (await entriesOf(harness)).slice(0, -before.length || undefined);
    expect([name, others.length]).toEqual([name, 0]);
    expect(entry).toMatchObject({
      action: name,
      actor: entry?.keyId,
      refusal: "",
      address: expect.stringMatching(/127\.0\.0\.1$/),
    });
    expect([name, entry?.requestId]).toEqual([name, expect.stringMatching(/^.{36}$/)]);
    fates.push([name, fateOf(entry as AuditEntry), entry?.subject.slice(0, 4) ?? ""]);
    return made;
  };
  const to = (time: string) =>
    ({ destination: { case: "to", value: { seconds: BigInt(Date.parse(time) / 1_000) } } }) as const;

  await step("UpdateTenant", (o) => tenant.updateTenant({ memo: "Thank you" }, o));
  const { apiKey, secret } = await step("CreateApiKey", (o) => tenant.createApiKey({ role: Role.VIEWER }, o));
  const { secret: newer } = await step("RotateApiKey", (o) => tenant.rotateApiKey({ id: apiKey?.id ?? "" }, o));
  await step("RevokeApiKey", (o) => tenant.revokeApiKey({ id: apiKey?.id ?? "" }, o));
  await tenant.putCustomer({ customer: { id: "user_123", name: "Ada" } });
  await step("PutCustomer", (o) => tenant.putCustomer({ customer: { id: "user_123", name: "Ada L." } }, o));
  await step("PushCatalog", (o) => pricing.pushCatalog({ catalog }, o));
  const { endpoint, secret: made } = await step("CreateEndpoint", (o) =>
    webhook.createEndpoint({ url: receiver.url, headers: { authorization: header }, secret: ownSecret }, o),
  );
  const id = endpoint?.id ?? "";
  const headers = { values: { authorization: header } };
  await step("UpdateEndpoint", (o) => webhook.updateEndpoint({ id, url: receiver.url, headers }, o));
  await step("PauseEndpoint", (o) => webhook.pauseEndpoint({ id }, o));
  await step("ResumeEndpoint", (o) => webhook.resumeEndpoint({ id }, o));
  const { secret: rotated } = await step("RotateEndpointSecret", (o) => webhook.rotateEndpointSecret({ id }, o));
  secrets.push(secret, newer, made, rotated);
  const { subscription } = await step("StartSubscription", (o) =>
    pricing.startSubscription({ customerId: "user_123", plan: "pro" }, o),
  );
  const sub = subscription?.id ?? "";
  const { discount } = await step("CreateDiscount", (o) =>
    pricing.createDiscount(
      {
        ...{ subscriptionId: sub, name: "Launch offer", duration: { case: "forEver", value: true } },
        value: { case: "percent", value: "10" },
      },
      o,
    ),
  );
  await step("EndDiscount", (o) => pricing.endDiscount({ id: discount?.id ?? "" }, o));
  await step("ChangeSubscription", (o) =>
    pricing.changeSubscription({ id: sub, quantity: 2, timing: ChangeTiming.NOW }, o),
  );
  await step("EndSubscription", (o) => pricing.endSubscription({ id: sub }, o));
  await step("ResumeSubscription", (o) => pricing.resumeSubscription({ id: sub }, o));
  await step("SetSpendThresholds", (o) => pricing.setSpendThresholds({ id: sub, amounts: ["1000000"] }, o));
  const events = ["a", "b"].map((key) => ({
    metric: "API_CALL",
    amount: "100",
    customerId: "user_123",
    idempotencyKey: key,
  }));
  await usage.trackUsage({ events });
  await step("VoidUsage", (o) => usage.voidUsage({ idempotencyKeys: ["a"], reason: "a test" }, o));
  const credit = { customerId: "user_456", currency: "USD", amount: "5" };
  await tenant.putCustomer({ customer: { id: "user_456" } });
  await step("EraseCustomer", (o) => tenant.eraseCustomer({ id: "user_456" }, o));
  const { creditGrant } = await step("CreateCreditGrant", (o) => invoice.createCreditGrant(credit, o));
  await step("RevokeCreditGrant", (o) => invoice.revokeCreditGrant({ id: creditGrant?.id ?? "", reason: "x" }, o));
  await step("AdvanceClock", (o) => tenant.advanceClock(to("2015-06-01T00:30:00Z"), o));
  await harness.drain();
  const invoiceOf = async () =>
    (await invoice.listInvoices({})).invoices.findLast((one) => one.state !== InvoiceState.PAID)?.id ?? "";
  const may = await invoiceOf();
  await step("FinalizeInvoice", (o) => invoice.finalizeInvoice({ id: may }, o));
  await step("MarkInvoiceUncollectible", (o) => invoice.markInvoiceUncollectible({ id: may, reason: "x" }, o));
  await step("MarkInvoicePaid", (o) => invoice.markInvoicePaid({ id: may }, o));
  await step("CreateCreditNote", (o) =>
    invoice.createCreditNote({ invoiceId: may, scope: { case: "amountMinor", value: 1n }, reason: "x" }, o),
  );
  await harness.advanceTo("2015-07-02T00:00:00Z");
  const june = await invoiceOf();
  await step("VoidInvoice", (o) => invoice.voidInvoice({ id: june, reason: "wrong plan" }, o));
  await harness.drain();
  const { delivery } = await step("SendTestEvent", (o) => webhook.sendTestEvent({ endpointId: id }, o));
  await harness.drain();
  await step("RetryDelivery", (o) => webhook.retryDelivery({ id: delivery?.id ?? "" }, o));
  await webhook.pauseEndpoint({ id });
  const { delivery: waiting } = await webhook.sendTestEvent({ endpointId: id });
  await step("SkipDelivery", (o) => webhook.skipDelivery({ id: waiting?.id ?? "" }, o));
  const { events: told } = await webhook.listEvents({ eventTypes: ["invoice.voided"] });
  await step("ResendEvent", (o) => webhook.resendEvent({ eventId: told[0]?.id ?? "", endpointId: id }, o));
  const { replay } = await step("CreateReplay", (o) => webhook.createReplay({ endpointId: id }, o));
  await step("CancelReplay", (o) => webhook.cancelReplay({ id: replay?.id ?? "" }, o));
  await step("DeleteEndpoint", (o) => webhook.deleteEndpoint({ id }, o));
  expect(fates.map(([name]) => name).sort()).toEqual([...audited].sort());
  const makes = /^(Create|Start|Push|RotateApi|Void(?!Inv)|Send|Resend)/;
  for (const [name, fate, prefix] of fates) {
    const expected = name === "DeleteEndpoint" ? "gone" : makes.test(name) ? "made" : "changed";
    expect([name, fate]).toEqual([name, expected]);
    const ofTenant = /^(Update|Push|VoidU|Advance)/.test(name) && name !== "UpdateEndpoint";
    expect([name, prefix]).toEqual([
      name,
      ofTenant ? "ten_" : expect.stringMatching(/^(key|use|whe|whd|sub|dsc|inv|crg|crn|rpl|user)/),
    ]);
  }
  const dump = await sql`select t::text from audit_entry t`.execute(harness.ownerDb);
  const text = JSON.stringify(dump.rows);
  expect(secrets.filter((one) => one === "" || text.includes(one))).toEqual([]);
  expect(text).toContain("[masked]");
  expect(text).not.toMatch(/uf_(live|test)_[0-9A-Za-z]{71}|whsec_/);
  expect(await harness.clients.tenant.verifyAudit({})).toMatchObject({ breach: 0 });
  // What these calls sent and got as JSON is what the OpenAPI document says.
  expect(problems).toEqual([]);
});

test("an entry says what changed, from what to what, and nothing else", async () => {
  const harness = await setup();
  const { tenant, webhook, pricing } = harness.clients;
  await tenant.putCustomer({ customer: { id: "c", name: "Ada", billing: { purchaseOrder: "1" } } });
  await tenant.putCustomer({ customer: { id: "c", name: "Grace", billing: { purchaseOrder: "1" } } });
  const [changed, made] = await entriesOf(harness);
  expect(made).toMatchObject({ subject: "c", after: { id: "c", name: "Ada", billing: { purchaseOrder: "1" } } });
  expect(made).not.toHaveProperty("before");
  expect(changed?.before).toEqual({ name: "Ada" });
  expect(changed?.after).toEqual({ name: "Grace" });
  expect(changed?.request).toMatchObject({ customer: { name: "Grace" } });
  // Another value of a header is a change, though nobody sees it.
  const { endpoint } = await webhook.createEndpoint({ url: "https://93.184.215.14/", headers: { token: "one" } });
  const id = endpoint?.id ?? "";
  await webhook.updateEndpoint({ id, url: "https://93.184.215.14/", headers: { values: { token: "two" } } });
  const [update] = await entriesOf(harness);
  expect(update).toMatchObject({ action: "UpdateEndpoint", subject: id, before: {}, after: {} });
  expect(update?.request).toMatchObject({ headers: { values: { token: "[masked]" } } });
  await pricing.pushCatalog({ catalog });
  expect((await entriesOf(harness))[0]?.after).toMatchObject({ plans: [{ key: "pro", newVersion: 1 }] });
});

test("a call that changes nothing leaves no entry", async () => {
  const harness = await setup();
  const { tenant, pricing, webhook, usage } = harness.clients;
  const { apiKey } = await tenant.createApiKey({ role: Role.VIEWER });
  const { endpoint } = await webhook.createEndpoint({ url: "https://93.184.215.14/" });
  const id = endpoint?.id ?? "";
  const changes = [
    () => tenant.putCustomer({ customer: { id: "c", name: "Ada" } }),
    () => tenant.updateTenant({ memo: "x" }),
    () => tenant.revokeApiKey({ id: apiKey?.id ?? "" }),
    () => pricing.pushCatalog({ catalog }),
    () => webhook.pauseEndpoint({ id }),
    () => webhook.updateEndpoint({ id, url: "https://93.184.215.14/x" }),
  ];
  for (const change of changes) await change();
  const before = (await entriesOf(harness)).length;
  expect(before).toBe(2 + changes.length);
  for (const change of changes) await change();
  await usage.voidUsage({ idempotencyKeys: ["none"], reason: "x" });
  await pricing.pushCatalog({ catalog: { metrics: [{ key: "NEW", aggregation: Aggregation.SUM }] }, dryRun: true });
  await webhook.createReplay({ endpointId: id, dryRun: true });
  await refused(tenant.revokeApiKey({ id: `key_${"0".repeat(22)}` }));
  expect((await entriesOf(harness)).length).toBe(before);
});

test("a change whose entry cannot be written is undone", async () => {
  const { clients, ownerDb } = await setup();
  await sql`revoke insert on audit_entry from usageflow_app`.execute(ownerDb);
  expect(await refused(clients.tenant.putCustomer({ customer: { id: "c" } }))).toBeDefined();
  expect((await clients.tenant.listCustomers({})).customers).toEqual([]);
});

test("what is large is told of by its size and hash", async () => {
  const harness = await setup();
  const idempotencyKeys = Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(60, "x"));
  const events = idempotencyKeys.map((idempotencyKey) => ({
    metric: "API_CALL",
    amount: "1",
    customerId: "c",
    idempotencyKey,
  }));
  await harness.clients.pricing.pushCatalog({ catalog });
  await harness.clients.usage.trackUsage({ events });
  await harness.clients.usage.voidUsage({ idempotencyKeys, reason: "x" });
  const [entry] = await entriesOf(harness);
  expect(entry?.request).toEqual({ bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(entry?.after).toMatchObject({ bytes: expect.any(Number) });
});
