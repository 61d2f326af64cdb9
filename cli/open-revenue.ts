import type { Client } from "@connectrpc/connect";
import type { InvoiceService, OpenRevenue } from "../gen/usageflow/v1/invoice_service_pb.ts";

// Subscriptions that one call looks at: it works out as many previews.
const PAGE_SIZE = 200;

/** What the open periods of all subscriptions come to, by currency. */
export async function readOpenRevenue(
  invoices: Client<typeof InvoiceService>,
  options: { signal?: AbortSignal } = {},
): Promise<OpenRevenue[]> {
  const sums = new Map<string, OpenRevenue>();
  let pageToken = "";
  do {
    const page = await invoices.getOpenRevenue({ pageSize: PAGE_SIZE, pageToken }, options);
    for (const revenue of page.revenues) {
      const sum = sums.get(revenue.currency);
      if (!sum) sums.set(revenue.currency, revenue);
      else {
        sum.amountMinor += revenue.amountMinor;
        sum.subscriptionCount += revenue.subscriptionCount;
      }
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return [...sums.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1));
}
