import { setImmediate as turn } from "node:timers/promises";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { Clients } from "../support/clients.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { monthCatalog, monthUsage } from "../support/month.ts";
import { startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { watchStatements } from "../support/statements.ts";

const withKey =
  (key: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set("x-usageflow-api-key", key);
    return next(request);
  };

interface Asked {
  start?: Timestamp;
  end?: Timestamp;
  resumeToken?: string;
}

/** What each export streams, as rows. */
const exportsOf = ({ usage, invoice, webhook, tenant }: Clients) => ({
  usage: (asked: Asked) =>
    rows(usage.exportUsageEvents(asked), ({ usageEvents }) => usageEvents.map((one) => one.idempotencyKey)),
  invoices: (asked: Asked) => rows(invoice.exportInvoices(asked), ({ invoices }) => invoices.map((one) => one.number)),
  lines: (asked: Asked) =>
    rows(invoice.exportInvoiceLines(asked), ({ invoiceLines }) =>
      invoiceLines.map((one) => `${one.invoiceNumber} ${one.position}`),
    ),
  deliveries: (asked: Asked) => rows(webhook.exportDeliveries(asked), (one) => one.deliveries.map(({ id }) => id)),
  audit: (asked: Asked) =>
    rows(tenant.exportAudit(asked), ({ part }) => (part.case === "auditEntry" ? [part.value.action] : [])),
});

/** Each message of a stream: its rows, and where it goes on. */
async function rows<Message extends { resumeToken: string }>(
  messages: AsyncIterable<Message>,
  of: (message: Message) => string[],
) {
  const got: { rows: string[]; token: string }[] = [];
  for await (const message of messages) got.push({ rows: of(message), token: message.resumeToken });
  return got;
}

const at = (time: string) => timestampFromDate(new Date(time));
const all = (got: { rows: string[] }[]) => got.flatMap((one) => one.rows);

/** A month with every kind of line, invoices of many customers, and deliveries. */
async function month(): Promise<Harness> {
  const harness = await setup({ config: { emulator: true } });
  const receiver = await startReceiver();
  const { clients } = harness;
  await clients.pricing.pushCatalog({ catalog: monthCatalog });
  await clients.webhook.createEndpoint({ url: receiver.url });
  const { inTime } = monthUsage({ customers: 60, batchSize: 500, batches: 3, lateBatches: 0 });
  for (const events of inTime) await clients.usage.trackUsage({ events, backfill: true });
  await clients.usage.voidUsage({ idempotencyKeys: ["1-1", "2-2"], reason: "a test" });
  await harness.drain();
  await harness.advanceTo("2015-06-02T00:00:00Z");
  return harness;
}

describe("an export", () => {
  test("is all rows of a span once, however it is cut, for its own tenant", async () => {
    const harness = await month();
    await checkAllOnce(harness);
    await checkContent(harness);
    await checkSpan(harness);
    await checkTokens(harness);
  });

  test("is an entry of the audit log, each time", async () => {
    const { clients, clientsFor } = await setup();
    const exports = exportsOf(clients);
    for (const call of Object.values(exports)) await call({ start: at("2015-05-01T00:00:00Z") });
    const { auditEntries } = await clients.tenant.listAuditEntries({});
    expect(auditEntries.map(({ action }) => action).reverse()).toEqual([
      "ExportUsageEvents",
      "ExportInvoices",
      "ExportInvoiceLines",
      "ExportDeliveries",
      "ExportAudit",
    ]);
    for (const { request, subject } of auditEntries) {
      expect(request).toEqual({ start: "2015-05-01T00:00:00Z" });
      expect(subject).toMatch(/^ten_/);
    }
    const { secret } = await clients.tenant.createApiKey({ role: Role.INGEST });
    for (const call of Object.values(exportsOf(clientsFor(secret)))) {
      expect(await refused(call({}))).toMatchObject({ reason: ErrorReason.PERMISSION_DENIED });
    }
  });

  test("waits for its client: who takes nothing makes the server read nothing", async () => {
    const { api, clients, app, ownerDb, tenant } = await setup();
    await clients.pricing.pushCatalog({ catalog: monthCatalog });
    // As large as events may be, so that what the network holds for a client is less than a page.
    await sql`
      insert into usage_event (tenant_id, idempotency_key, metric, customer_id, amount, occurred_at, occurred_at_sent,
        properties, batch_id)
      select ${tenant.testId}, n::text, 'CALLS', 'c', 1, '2015-05-01'::timestamptz + n * interval '1 s', true,
        (select jsonb_object_agg('property_' || p, repeat('x', 255)) from generate_series(1, 32) as p), gen_random_uuid()
      from generate_series(1, 6000) as n`.execute(ownerDb);
    const sent = watchStatements(app.pool);
    const pages = () => sent.filter((text) => /from usage_event where/.test(text)).length;
    const transport = createConnectTransport({
      ...{ baseUrl: api.url, httpVersion: "1.1", acceptCompression: [] },
      interceptors: [withKey(tenant.testKey)],
    });
    let seen = 0;
    for await (const { usageEvents } of createClient(UsageService, transport).exportUsageEvents({})) {
      if (seen === 0) {
        for (let call = 0; call < 50; call++) await clients.tenant.getTenant({});
        for (let loop = 0; loop < 1_000; loop++) await turn();
        expect(pages()).toBeLessThanOrEqual(2);
      }
      seen += usageEvents.length;
    }
    expect([seen, pages()]).toEqual([6_000, expect.any(Number)]);
  });
});

/** All rows once, and from each of its tokens the rest. */
async function checkAllOnce(harness: Harness) {
  const { clients, ownerDb } = harness;
  const exports = exportsOf(clients);
  const stored = await ownerDb.selectFrom("usage_event").select("idempotency_key as key").execute();
  const invoices = (await listAllInvoices(clients)).filter((one) => one.state !== InvoiceState.DRAFT);
  const whole = {
    usage: await exports.usage({}),
    invoices: await exports.invoices({}),
    lines: await exports.lines({}),
    deliveries: await exports.deliveries({}),
    audit: await exports.audit({}),
  };
  expect(all(whole.usage).sort()).toEqual(stored.map(({ key }) => key).sort());
  expect(stored.length).toBeGreaterThan(900);
  expect(all(whole.invoices)).toEqual(invoices.map((one) => one.number).sort());
  const lines = invoices.flatMap((one) => one.lines.map((_, place) => `${one.number} ${place + 1}`));
  expect(lines.length).toBeGreaterThan(300);
  expect([...all(whole.lines)].sort()).toEqual(lines.sort());
  const { deliveries } = await clients.webhook.listDeliveries({ pageSize: 1_000, oldestFirst: true });
  expect(all(whole.deliveries)).toEqual(deliveries.map(({ id }) => id));
  for (const noun of ["usage", "invoices", "lines", "deliveries"] as const) {
    for (const place of [0, Math.floor(whole[noun].length / 2), whole[noun].length - 1]) {
      const resumeToken = whole[noun][place]?.token ?? "";
      const rest = all(await exports[noun]({ resumeToken }));
      expect([noun, place, rest]).toEqual([noun, place, all(whole[noun].slice(place + 1))]);
    }
  }
  const resumed = all(await exports.audit({ resumeToken: whole.audit.at(-1)?.token ?? "" }));
  expect(resumed.at(-1)).toBe("ExportAudit");
  expect(resumed.length).toBe(13); // those of this test since then, and its own
}

/** Says which events are voided, and leaves an invoice's lines out, but not what they come to. */
async function checkContent(harness: Harness) {
  const { clients } = harness;
  const messages = await Array.fromAsync(clients.usage.exportUsageEvents({}));
  expect(messages.flatMap(({ voids }) => voids.map((one) => one.idempotencyKey)).sort()).toEqual(["1-1", "2-2"]);
  for (const { usageEvents, voids } of messages) {
    const keys = usageEvents.map((one) => one.idempotencyKey);
    expect(voids.filter((one) => !keys.includes(one.idempotencyKey))).toEqual([]);
  }
  const listed = (await listAllInvoices(clients)).filter((one) => one.state !== InvoiceState.DRAFT);
  const exported = (await Array.fromAsync(clients.invoice.exportInvoices({}))).flatMap(({ invoices }) => invoices);
  const byNumber = (one: { number: string }, other: { number: string }) => (one.number < other.number ? -1 : 1);
  expect(exported.sort(byNumber)).toEqual(listed.sort(byNumber).map((one) => ({ ...one, lines: [] })));
  const [first] = (await Array.fromAsync(clients.invoice.exportInvoiceLines({}))).flatMap((one) => one.invoiceLines);
  const its = listed.find((one) => one.id === first?.invoiceId);
  expect(first).toMatchObject({ currency: "USD", customerId: its?.customerId, finalizedAt: its?.finalizedAt });
  expect(first?.line).toEqual(its?.lines[0]);
}

/** From its start, included, to its end, not included. */
async function checkSpan(harness: Harness) {
  const { clients, ownerDb } = harness;
  const exports = exportsOf(clients);
  const [start, end] = [at("2015-05-10T00:00:00Z"), at("2015-05-20T12:00:00Z")];
  const { rows: expected } = await sql<{ key: string }>`
    select idempotency_key as key from usage_event
    where occurred_at >= '2015-05-10T00:00:00Z' and occurred_at < '2015-05-20T12:00:00Z'`.execute(ownerDb);
  expect(all(await exports.usage({ start, end })).sort()).toEqual(expected.map((row) => row.key).sort());
  const [issued] = (await Array.fromAsync(clients.invoice.exportInvoices({}))).flatMap(({ invoices }) => invoices);
  const issuedAt = issued?.finalizedAt as Timestamp;
  for (const noun of ["invoices", "lines"] as const) {
    expect([noun, all(await exports[noun]({ end: issuedAt }))]).toEqual([noun, []]);
    expect(all(await exports[noun]({ start: issuedAt })).length).toBeGreaterThan(50);
  }
  const { deliveries } = await clients.webhook.listDeliveries({ pageSize: 1, oldestFirst: true });
  const madeAt = deliveries[0]?.createdAt as Timestamp;
  expect(all(await exports.deliveries({ end: madeAt }))).toEqual([]);
  expect(all(await exports.deliveries({ start: madeAt }))).toContain(deliveries[0]?.id);
  expect(all(await exports.audit({ end: at("2001-01-01T00:00:00Z") }))).toEqual([]);
  for (const call of Object.values(exports)) {
    expect(await refused(call({ start: end, end: start }))).toMatchObject({ code: 3, field: "end" });
  }
}

/** Goes on for its own tenant, method and span only. */
async function checkTokens(harness: Harness) {
  const stranger = exportsOf(harness.clientsFor((await harness.addOrganization("Other")).testKey));
  const exports = exportsOf(harness.clients);
  const token = (await exports.invoices({}))[0]?.token ?? "";
  const wrong = { code: 3, reason: ErrorReason.PAGE_TOKEN_INVALID, field: "resume_token" };
  expect(await refused(stranger.invoices({ resumeToken: token }))).toMatchObject(wrong);
  expect(await refused(exports.lines({ resumeToken: token }))).toMatchObject(wrong);
  expect(await refused(exports.usage({ resumeToken: token }))).toMatchObject(wrong);
  expect(await refused(exports.invoices({ resumeToken: token, start: at("2015-01-01T00:00:00Z") }))).toMatchObject(
    wrong,
  );
  expect(await refused(exports.invoices({ resumeToken: `A${token}` }))).toMatchObject(wrong);
  const audit = (await exports.audit({}))[0]?.token ?? "";
  expect(await refused(stranger.audit({ resumeToken: audit }))).toMatchObject(wrong);
}
