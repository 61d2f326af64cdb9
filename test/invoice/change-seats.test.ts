import { describe, expect, test } from "vitest";
import { change, invoiceWords, mismatches, offered, started } from "../support/subscriptions.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z: 20 of May's 31 days are over.

describe("other seats at once", () => {
  test("are billed in arrears for as long as there were so many", async () => {
    const harness = await offered();
    const id = await started(harness, "late_seats");
    expect(await change(harness, id, { quantity: 3 })).toBe("late_seats 1 x3, 05-01T00:00 to 06-01T00:00");
    await harness.advanceTo("2015-06-01T01:00:00Z");
    const [invoice] = (await harness.clients.invoice.listInvoices({})).invoices;
    expect(invoice?.lines[0]).toMatchObject({
      quantity: "3",
      amountMinor: 5300n, // 20 days of 1.00 and 11 of 3.00
      exactAmount: "53",
      description: "Seats",
      steps: [
        { quantity: "1", unitAmount: "20", description: "1 seat at 31 for 20 of 31 days" },
        { quantity: "1", unitAmount: "33", description: "3 seats at 31 for 11 of 31 days" },
      ],
    });
    await harness.advanceTo("2015-07-01T01:00:00Z");
    expect((await invoiceWords(harness)).at(-1)).toContain(": Seats 93.00;");
    expect(await mismatches(harness)).toEqual([]);
  });

  test("that were billed in advance are made up for on the next invoice, whatever comes after", async () => {
    const harness = await offered();
    const id = await started(harness, "seats", { quantity: 2 });
    await change(harness, id, { quantity: 5 });
    await harness.advanceTo("2015-05-26T00:00:00Z");
    await change(harness, id, { quantity: 4 });
    expect(await change(harness, id, { quantity: 2 })).toBe("seats 1 x2, 05-01T00:00 to 06-01T00:00");
    await harness.advanceTo("2015-06-16T00:00:00Z");
    await change(harness, id, { quantity: 1 });
    await harness.advanceTo("2015-07-01T00:00:00Z");
    expect(await invoiceWords(harness)).toEqual([
      "INV-000001 in advance seats 05-01T00:00 to 06-01T00:00: Seats 62.00",
      // 2 seats for 20 days, 5 for 5, 2 for 6: 40 + 25 + 12.
      "INV-000002 in advance seats 06-01T00:00 to 07-01T00:00: Seats 62.00; " +
        "Changes in 2015-05-01 to 2015-06-01: 77.00 instead of 62.00 15.00",
      // 15 of 30 days of 62.00 and of 31.00.
      "INV-000003 in advance seats 07-01T00:00 to 08-01T00:00: Seats 31.00; " +
        "Changes in 2015-06-01 to 2015-07-01: 46.50 instead of 62.00 -15.50",
    ]);
    expect(await mismatches(harness)).toEqual([]);
  });

  test("do not touch fees that are not by seats", async () => {
    const harness = await offered();
    const id = await started(harness, "starter");
    await change(harness, id, { quantity: 7 });
    await harness.advanceTo("2015-06-01T00:00:00Z");
    expect((await invoiceWords(harness)).at(-1)).toBe(
      "INV-000002 in advance starter 06-01T00:00 to 07-01T00:00: Fee 31.00",
    );
  });
});
