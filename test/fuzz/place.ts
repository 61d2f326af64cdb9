import type { Clients } from "../support/clients.ts";
import { type Lived, liveMonth } from "../support/lived-month.ts";
import type { Place } from "./campaign.ts";

/** What a place is made with. */
export interface PlaceParts {
  url: string;
  /** Key and client of the tenant that calls. */
  own: { key: string; clients: Clients };
  /** Of another organization. */
  other: Clients;
  /** Of an endpoint that takes what is sent. */
  receiverUrl: string;
  drain: () => Promise<void>;
}

/** Lives a month in two tenants, so that a campaign has things to speak of: the caller's, and some that are not its own. */
export async function makePlace({ url, own, other, receiverUrl, drain }: PlaceParts): Promise<Place> {
  const lived = await liveMonth(own.clients, { name: "ours", url: receiverUrl, drain });
  const theirs = await liveMonth(other, { name: "theirs", url: receiverUrl, drain });
  const [foreign, tokens] = await Promise.all([tokensOf(other), tokensOf(own.clients)]);
  return {
    url,
    key: own.key,
    lived,
    words: { own: wordsOf(lived), foreign: [...Object.values(theirs), ...foreign], tokens },
  };
}

/** By what fields of requests are called. */
function wordsOf(lived: Lived): Record<string, string> {
  const { subscriptionId: id } = lived;
  return { ...lived, id, key: lived.plan, idempotencyKeys: lived.usageKey, idempotencyKey: lived.usageKey };
}

/** Tokens of the second pages of several lists. */
async function tokensOf({ invoice, webhook, tenant, usage }: Clients): Promise<string[]> {
  const first = { pageSize: 1 };
  const pages = await Promise.all([
    invoice.listInvoices(first),
    invoice.listCreditGrants(first),
    webhook.listDeliveries(first),
    webhook.listEvents(first),
    tenant.listCustomers(first),
    tenant.listAuditEntries(first),
    usage.listUsageEvents(first),
  ]);
  return pages.map(({ nextPageToken }) => nextPageToken);
}
