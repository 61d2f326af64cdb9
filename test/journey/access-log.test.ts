import { describe, expect, test } from "vitest";
import { InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { hasAccessLog, readAccessLog } from "../support/access-log.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";

describe.runIf(hasAccessLog)("a month of real usage", () => {
  test("becomes 1,753 gapless invoices of 35,611.71 USD, and the same again when it is sent twice", async () => {
    const harness = await setup();
    await harness.clients.pricing.pushCatalog({ catalog });
    expect(await sendAll(harness)).toEqual({ [UsageOutcome.ACCEPTED]: 20_000 });
    expect(await sendAll(harness)).toEqual({ [UsageOutcome.DUPLICATE]: 20_000 });
    await harness.advanceTo("2015-06-02T00:00:00Z");

    const invoices = await listAllInvoices(harness.clients);
    expect(invoices).toHaveLength(1_753);
    const numbers = invoices.map((invoice) => Number(invoice.number.replace("INV-", ""))).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, place) => place + 1));
    expect(new Set(invoices.map((invoice) => invoice.state))).toEqual(new Set([InvoiceState.FINALIZED]));
    for (const invoice of invoices) {
      expect(invoice.totalMinor).toBe(invoice.lines.reduce((sum, line) => sum + line.amountMinor, 0n));
      expect(invoice.periodStart?.seconds).toBe(BigInt(Date.UTC(2015, 4, 1) / 1_000));
      expect(invoice.periodEnd?.seconds).toBe(BigInt(Date.UTC(2015, 5, 1) / 1_000));
    }
    const sumOf = (priceKey: string) =>
      invoices
        .flatMap((invoice) => invoice.lines)
        .filter((line) => line.priceKey === priceKey)
        .reduce((sum, line) => sum + line.amountMinor, 0n);
    expect(invoices.reduce((sum, invoice) => sum + invoice.totalMinor, 0n)).toBe(3_561_171n);
    expect([sumOf("base"), sumOf("calls"), sumOf("egress")]).toEqual([3_506_000n, 16_993n, 38_178n]);

    const [busiest] = invoices.filter((invoice) => invoice.customerId === "cus_880a06f782");
    expect(busiest?.lines.map((line) => [line.priceKey, line.quantity, line.amountMinor])).toMatchObject([
      ["base", "1", 2_000n],
      ["calls", "482", 1_722n],
      ["egress", expect.stringMatching(/^75\d{6}$/), 684n],
    ]);
  });
});

test.skipIf(hasAccessLog)(
  "the access log is missing: ../shared/data was not found, and real input was not tried",
  () => {},
);

async function sendAll({ clients }: Harness): Promise<Partial<Record<UsageOutcome, number>>> {
  const events = await readAccessLog();
  const outcomes: Partial<Record<UsageOutcome, number>> = {};
  for (let from = 0; from < events.length; from += 1_000) {
    const { results } = await clients.usage.trackUsage({ events: events.slice(from, from + 1_000) });
    for (const { outcome } of results) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
}
