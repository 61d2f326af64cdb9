import { fromJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { CatalogSchema, ChangeTiming } from "../../gen/usageflow/v1/pricing_pb.ts";
import { priced, use } from "../support/billing.ts";

test("open revenue is the sum of what previews charge, by currency, before tax and credit, over all pages", async () => {
  const harness = await priced();
  const { clients } = harness;
  const fee = fromJson(CatalogSchema, {
    plans: [
      { key: "fee", currency: "JPY", period: "PERIOD_MONTHLY", prices: [{ key: "fee", flat: { amount: "500" } }] },
    ],
  });
  await clients.pricing.pushCatalog({ catalog: fee });
  await clients.pricing.startSubscription({ customerId: "kai", plan: "fee" });
  await clients.tenant.putCustomer({ customer: { id: "ann", taxRates: [{ name: "VAT", percent: "19" }] } });
  await clients.invoice.createCreditGrant({ customerId: "bob", amount: "5", currency: "USD" });
  await use(harness, "ann", "100", "2015-05-20T00:00:00Z");
  await use(harness, "bob", "482", "2015-05-20T00:00:00Z");
  await harness.drain();
  const { subscriptions } = await clients.pricing.listSubscriptions({ customerId: "bob" });
  await clients.pricing.createDiscount({
    subscriptionId: subscriptions[0]?.id ?? "",
    name: "Half",
    value: { case: "percent", value: "50" },
    duration: { case: "forEver", value: true },
  });
  const previewOf = (customerId: string) =>
    clients.invoice.previewInvoice({ subject: { case: "customerId", value: customerId } });
  const { invoice: kai } = await previewOf("kai");
  const all = await clients.invoice.getOpenRevenue({});
  expect(all).toMatchObject({
    revenues: [
      { currency: "JPY", amountMinor: kai?.subtotalMinor, subscriptionCount: 1n },
      { currency: "USD", amountMinor: 2450n + 1861n, subscriptionCount: 2n },
    ],
    nextPageToken: "",
  });
  let sum = 0n;
  let pages = 0;
  let pageToken = "";
  do {
    const page = await clients.invoice.getOpenRevenue({ pageSize: 1, pageToken });
    for (const { currency, amountMinor } of page.revenues) if (currency === "USD") sum += amountMinor;
    pageToken = page.nextPageToken;
    pages++;
  } while (pageToken !== "");
  expect([pages, sum]).toEqual([3, 4311n]);
});

test("what has not begun, or is over, comes to nothing", async () => {
  const harness = await priced();
  const { clients } = harness;
  await use(harness, "ann", "100", "2015-05-20T00:00:00Z");
  await harness.drain();
  const { subscriptions } = await clients.pricing.listSubscriptions({});
  await clients.pricing.endSubscription({ id: subscriptions[0]?.id ?? "", timing: ChangeTiming.NOW });
  await harness.drain();
  expect(await clients.invoice.getOpenRevenue({})).toMatchObject({ revenues: [] });
});
