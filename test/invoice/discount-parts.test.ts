import { expect, test } from "vitest";
import { use } from "../support/billing.ts";
import { setClock } from "../support/month.ts";
import { change, invoiceWords, mismatches, offered, started } from "../support/subscriptions.ts";

test("an amount off that two parts of a period share comes out the same again, though both are final at once", async () => {
  const harness = await offered();
  const subscriptionId = await started(harness, "late_seats", { startAt: "2015-05-01T00:00:00Z" });
  await harness.clients.pricing.createDiscount({
    subscriptionId,
    name: "offer",
    value: { case: "amount", value: "40" },
    duration: { case: "periods", value: 1 },
  });
  await setClock(harness, "2015-05-31T23:30:00Z");
  await change(harness, subscriptionId, { plan: "starter" });
  await setClock(harness, "2015-05-31T23:50:00Z");
  await use(harness, "ann", "2000", "2015-05-31T23:40:00Z");
  await setClock(harness, "2015-06-01T02:00:00Z"); // when both wait no more
  await harness.drain();
  expect((await invoiceWords(harness)).slice(0, 3).map((invoice) => invoice.split("; ").at(-1))).toEqual([
    "offer -30.98",
    "offer -0.02",
    "offer -9.00",
  ]);
  expect(await mismatches(harness)).toEqual([]);
});
