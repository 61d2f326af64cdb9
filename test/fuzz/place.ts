import { Place, Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { type Clients, createClients } from "../support/clients.ts";
import { type Lived, type LivedTogether, liveMonth, liveTogether } from "../support/lived-month.ts";
import { memberOf } from "../support/members.ts";
import type { FuzzPlace } from "./campaign.ts";

/** What opens an organization: its test tenant, and itself. */
interface Keys {
  testKey: string;
  ownerToken: string;
}

/** What a place is made with. */
export interface PlaceParts {
  url: string;
  /** Of the organization that calls. */
  own: Keys;
  /** Of another one. */
  other: Keys;
  operatorKey: string;
  /** Of an endpoint that takes what is sent. */
  receiverUrl: string;
  drain: () => Promise<void>;
}

/** Lives a month in two tenants, so that a campaign has things to speak of: the caller's, and some that are not its own. */
export async function makePlace(parts: PlaceParts): Promise<FuzzPlace> {
  const { url, own, other, operatorKey, drain } = parts;
  const clientsFor = (secret: string) => createClients(url, secret);
  const living = async (keys: Keys, name: string) => {
    const clients = clientsFor(keys.testKey);
    const lived = await liveMonth(clients, { name, url: parts.receiverUrl, drain });
    return { clients, lived, ...(await liveTogether(clientsFor, keys, name)) };
  };
  const ours = await living(own, "ours");
  const theirs = await living(other, "theirs");
  const [foreign, tokens] = await Promise.all([tokensOf(theirs.clients), tokensOf(ours.clients)]);
  // Who calls is not among those who may be removed, and lives longer than the case that tries.
  const { token } = await memberOf({ clientsFor }, own, Role.OWNER);
  const invite = await clientsFor(own.ownerToken).tenant.inviteMember({ email: "new@ours.com", role: Role.VIEWER });
  const keys = {
    [Place.UNSPECIFIED]: own.testKey,
    [Place.EITHER]: own.testKey,
    [Place.ORGANIZATION]: token,
    [Place.SERVER]: operatorKey,
    [Place.INVITE]: invite.code,
  };
  const words = { own: wordsOf(ours), foreign: [...Object.values(wordsOf(theirs)), ...foreign], tokens };
  return { url, keys, lived: { ...ours.lived, ...ours.together }, words };
}

/** By what fields of requests are called. */
function wordsOf({ lived, together }: { lived: Lived; together: LivedTogether }): Record<string, string> {
  const { subscriptionId: id, plan: key, usageKey } = lived;
  return { ...lived, ...together, id, key, idempotencyKeys: usageKey, idempotencyKey: usageKey };
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
