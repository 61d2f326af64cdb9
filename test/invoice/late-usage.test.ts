import { describe, expect, test } from "vitest";
import type { Invoice, InvoiceLine } from "../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceLineKind, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { billed, use } from "../support/billing.ts";
import { type Harness, listAllInvoices } from "../support/harness.ts";

// May was billed on INV-000001: the fee of 20.00, and 482 calls at 17.22. Ten more calls are 0.33 more.

/** Lines for earlier periods, in few words. */
function late(invoice: Invoice | undefined): string[] {
  return (invoice?.lines ?? [])
    .filter((line) => line.kind === InvoiceLineKind.LATE_USAGE)
    .map((line) => `${line.adjustedInvoiceNumber}: ${line.amountMinor}, ${line.description}`);
}

const steps = (line: InvoiceLine | undefined) =>
  line?.steps.map((step) => `${step.description}: ${step.amount} ${step.invoiceNumber}`.trim());

async function expectAllVerified({ clients }: Harness): Promise<void> {
  for (const { id, number } of await listAllInvoices(clients)) {
    if (number === "") continue;
    const { matches, lines } = await clients.invoice.verifyInvoice({ id });
    expect([number, matches, lines.filter((line) => !line.matches)]).toEqual([number, true, []]);
  }
}

describe("usage that comes after its invoice was final", () => {
  test("is a line of the next invoice: the whole period as it costs now, less all that was billed for it", async () => {
    const harness = await billed();
    await use(harness, "ann", "10", "2015-05-20T00:00:00Z");
    await harness.drain();
    const preview = await harness.clients.invoice.previewInvoice({ subject: { case: "customerId", value: "ann" } });
    const told = "INV-000001: 33, Late usage of 2015-05-01 to 2015-06-01: 37.55 instead of 37.22";
    expect(late(preview.invoice)).toEqual([told]);

    await harness.advanceTo("2015-07-01T00:00:00Z");
    const [, draft] = await listAllInvoices(harness.clients);
    expect(draft?.state).toBe(InvoiceState.DRAFT);
    expect(late(draft)).toEqual([told]);
    await harness.advanceTo("2015-07-01T01:00:00Z");
    const [may, june] = await listAllInvoices(harness.clients);
    expect(june).toMatchObject({ number: "INV-000002", totalMinor: 2033n });
    expect(late(june)).toEqual([told]);
    const line = june?.lines.at(-1);
    expect(line).toMatchObject({
      priceKey: "late_usage",
      metric: "",
      quantity: "1",
      exactAmount: "0.33",
      adjustedInvoiceId: may?.id,
      adjustedPeriodStart: may?.periodStart,
      adjustedPeriodEnd: may?.periodEnd,
    });
    expect(steps(line)).toEqual([
      "API calls: 492 units: 17.55",
      "API calls: 482 units, billed on INV-000001: -17.22 INV-000001",
    ]);
    await expectAllVerified(harness);

    await harness.advanceTo("2015-08-02T00:00:00Z");
    expect(late((await listAllInvoices(harness.clients))[2])).toEqual([]);
  });
});
