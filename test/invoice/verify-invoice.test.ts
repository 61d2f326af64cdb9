import { Code } from "@connectrpc/connect";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { VerifyInvoiceResponse } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { billed, priced, use } from "../support/billing.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

const id = "INV-000001";

/** What a verification found, in few words. */
function found(answer: VerifyInvoiceResponse): string[] {
  const lines = answer.lines.filter((line) => !line.matches);
  const problems = lines.map(({ stored, recomputed }) =>
    [stored, recomputed].map((line) => (line ? `${line.priceKey} ${line.quantity} ${line.amountMinor}` : "none")),
  );
  const told = problems.map(([stored, recomputed]) => `${stored} is ${recomputed}`);
  if (answer.totalMinor !== answer.recomputedTotalMinor) {
    told.push(`total ${answer.totalMinor} is ${answer.recomputedTotalMinor}`);
  }
  if (!answer.numberMatches) told.push(`number ${answer.number}`);
  expect(answer.matches).toBe(told.length === 0);
  return told;
}

const verify = async ({ clients }: Harness, invoice = id) =>
  found(await clients.invoice.verifyInvoice({ id: invoice }));

/** As the superuser, past every guard: foreign keys too. */
async function tamper({ ownerDb }: Harness, ...statements: string[]): Promise<void> {
  await ownerDb.transaction().execute(async (tx) => {
    await sql.raw("set local session_replication_role = replica").execute(tx);
    for (const statement of statements) await sql.raw(statement).execute(tx);
  });
}

describe("an invoice that nobody touched", () => {
  test("is the same, line by line", async () => {
    const { clients, invoices } = await billed();
    const answer = await clients.invoice.verifyInvoice({ id: invoices[0]?.id ?? "" });
    expect(answer).toMatchObject({
      id: invoices[0]?.id,
      number: id,
      matches: true,
      currency: "USD",
      totalMinor: 3722n,
      recomputedTotalMinor: 3722n,
      numberMatches: true,
      usageFold: 1n,
    });
    expect(answer.lines).toHaveLength(3);
    for (const [i, line] of answer.lines.entries()) {
      expect(line).toMatchObject({ matches: true, stored: invoices[0]?.lines[i], recomputed: invoices[0]?.lines[i] });
    }
  });

  test("stays the same when usage comes late, the plan changes, the metric gets a unit, and when it is void", async () => {
    const harness = await billed();
    const { clients } = harness;
    await use(harness, "ann", "1000", "2015-05-20T00:00:00Z");
    const metrics = catalog.metrics.map((metric) => ({ ...metric, unit: "thing" }));
    const plans = catalog.plans.map((plan) => ({ ...plan, prices: plan.prices.slice(1) }));
    await clients.pricing.pushCatalog({ catalog: { metrics, plans } });
    await harness.drain();
    expect(await verify(harness)).toEqual([]);
    await clients.invoice.voidInvoice({ id, reason: "x" });
    expect(await verify(harness)).toEqual([]);
  });

  test("is the same when it counts usage of every kind of batch, and only what was folded by then", async () => {
    const harness = await priced();
    for (const amount of ["1", "0.25", "400"]) {
      await use(harness, "ann", amount, "2015-05-20T00:00:00Z");
      await harness.drain();
    }
    await use(harness, "ann", "7", "2015-04-30T23:59:59Z");
    await use(harness, "bob", "7", "2015-05-20T00:00:00Z");
    await harness.advanceTo("2015-06-01T00:30:00Z");
    await use(harness, "ann", "8", "2015-06-01T00:00:00Z");
    await use(harness, "ann", "80.5", "2015-05-31T23:59:59.999Z");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await verify(harness)).toEqual([]);
    expect(await verify(harness, "INV-000002")).toEqual([]);
  });
});

describe("what was tampered with is found and named", () => {
  test("a bucket, before the invoice was finalized", async () => {
    const harness = await priced();
    await use(harness, "ann", "482", "2015-05-20T00:00:00Z");
    await harness.drain();
    await tamper(harness, "update usage_bucket set amount_sum = 500");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    expect(await verify(harness)).toEqual(["calls 500 1782 is calls 482 1722", "total 3782 is 3722"]);
  });

  test("a raw event, after it: deleted, or another amount", async () => {
    const harness = await billed(["ann", "bob"]);
    await tamper(harness, "update usage_event set amount = 483 where customer_id = 'bob'");
    expect(await verify(harness)).toEqual([]);
    expect(await verify(harness, "INV-000002")).toEqual(["calls 482 1722 is calls 483 1725", "total 3722 is 3725"]);
    await tamper(harness, "delete from usage_event where customer_id = 'ann'");
    expect(await verify(harness)).toEqual(["calls 482 1722 is calls 0 0", "total 3722 is 2000"]);
  });

  test.each([
    ["quantity = 481", ["calls 481 1722 is calls 482 1722"]],
    ["amount_minor = 1721", ["calls 482 1721 is calls 482 1722"]],
    ["exact_amount = 17.22", ["calls 482 1722 is calls 482 1722"]],
    ["metric = 'EGRESS_BYTES'", ["calls 482 1722 is calls 482 1722"]],
    ["price_key = 'call'", ["call 482 1722 is calls 482 1722"]],
    ["steps = jsonb_set(steps, '{1,unitAmount}', '\"0.06\"')", ["calls 482 1722 is calls 482 1722"]],
    ["steps = steps - 2", ["calls 482 1722 is calls 482 1722"]],
    ["position = 7", ["none is calls 482 1722", "calls 482 1722 is none"]],
  ])("a line: %s", async (change, told) => {
    const harness = await billed();
    await tamper(harness, `update invoice_line set ${change} where price_key = 'calls'`);
    expect(await verify(harness)).toEqual(told);
  });

  test("a line that was deleted, and one that was added", async () => {
    const harness = await billed();
    await tamper(harness, "update invoice_line set position = 3, price_key = 'extra' where price_key = 'calls'");
    expect(await verify(harness)).toEqual(["none is calls 482 1722", "extra 482 1722 is none"]);
  });

  test("the total", async () => {
    const harness = await billed();
    await tamper(harness, "update invoice_document set total_minor = 1");
    expect(await verify(harness)).toEqual(["total 1 is 3722"]);
  });

  test("a number, and a gap on either side of it", async () => {
    const harness = await billed(["ann", "bob", "cat", "dan"]);
    const remove = (number: number) => [
      `delete from invoice_line where invoice_id in (select invoice_id from invoice_document where sequence = ${number})`,
      `delete from invoice_document where sequence = ${number}`,
    ];
    await tamper(harness, ...remove(2));
    expect(await verify(harness, "INV-000001")).toEqual(["number INV-000001"]);
    expect(await verify(harness, "INV-000003")).toEqual(["number INV-000003"]);
    expect(await verify(harness, "INV-000004")).toEqual([]);
    await tamper(harness, ...remove(4), "update invoice_document set number = 'INV-000009' where sequence = 1");
    expect(await verify(harness, "INV-000009")).toEqual(["number INV-000009"]);
    expect(await verify(harness, "INV-000003")).toEqual(["number INV-000003"]);
  });
});

test("neither a draft is verified, nor a stranger's invoice", async () => {
  const { clients, clientsFor, addOrganization, advanceTo } = await billed();
  await advanceTo("2015-07-01T00:00:00Z");
  const draft = (await listAllInvoices(clients)).find((invoice) => invoice.number === "");
  expect(await refused(clients.invoice.verifyInvoice({ id: draft?.id ?? "" }))).toMatchObject({
    reason: ErrorReason.STATE_CONFLICT,
  });
  const stranger = clientsFor((await addOrganization("Other")).testKey);
  for (const caller of [stranger, clients]) {
    const name = caller === clients ? "INV-000002" : id;
    expect(await refused(caller.invoice.verifyInvoice({ id: name }))).toMatchObject({ code: Code.NotFound });
  }
});
