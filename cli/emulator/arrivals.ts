import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { CliError } from "../cli-error.ts";
import { readPages } from "../pages.ts";

/** So many events of a type that are to arrive. */
export interface Wanted {
  type: string;
  count: number;
}

/** What became of the events of a type. */
export interface Arrived {
  type: string;
  /** Those that every endpoint that is told of them has taken; where there is no endpoint, those that happened. */
  arrived: number;
  /** Those that happened. */
  happened: number;
}

const POLL_MS = 100;

/** What `--wait-for` says: `invoice.finalized=3`, or `invoice.finalized` for one. */
export function parseWanted(text: string): Wanted {
  const [, type, count] = /^([a-z_]+\.[a-z_]+)(?:=([1-9]\d{0,6}))?$/.exec(text) ?? [];
  if (type !== undefined) return { type, count: Number(count ?? 1) };
  throw new CliError("usage", `"${text}" is no number of events: write it like invoice.finalized=3`);
}

/** Refuses types that there are not. */
export async function checkWanted(transport: Transport, wanted: readonly Wanted[]): Promise<void> {
  const { eventTypes } = await createClient(WebhookService, transport).listEventTypes({});
  const known = eventTypes.map(({ type }) => type);
  for (const { type } of wanted) {
    if (known.includes(type)) continue;
    throw new CliError("usage", `there is no event "${type}"`, { hint: `There are: ${known.join(", ")}` });
  }
}

/** Waits until all that is wanted has arrived. Throws, with what did, when that takes longer than `ms`. */
export async function waitForArrivals(
  transport: Transport,
  wanted: readonly Wanted[],
  { ms, stop }: { ms: number; stop: AbortSignal },
): Promise<Arrived[]> {
  const webhooks = createClient(WebhookService, transport);
  for (const began = performance.now(); ; await sleep(POLL_MS)) {
    const arrived = await look(webhooks, wanted);
    if (wanted.every(({ count }, at) => (arrived[at]?.arrived ?? 0) >= count)) return arrived;
    if (stop.aborted) throw new CliError("interrupted", "stopped while it waited for events");
    if (performance.now() - began > ms) throw await missing(webhooks, wanted);
  }
}

async function look(webhooks: Client<typeof WebhookService>, wanted: readonly Wanted[]): Promise<Arrived[]> {
  const found = await arrivedOf(webhooks, [...new Set(wanted.map((one) => one.type))]);
  return wanted.map(({ type }) => found.get(type) ?? { type, arrived: 0, happened: 0 });
}

/** What became of the events of these types; of all for none. */
async function arrivedOf(webhooks: Client<typeof WebhookService>, eventTypes: string[]): Promise<Map<string, Arrived>> {
  const { endpoints } = await webhooks.listEndpoints({ pageSize: 1 });
  const all = { limit: 0, all: true };
  const events = await readPages(
    all,
    (page) => webhooks.listEvents({ ...page, eventTypes }),
    (page) => page.events,
  );
  const deliveries = await readPages(
    all,
    (page) => webhooks.listDeliveries({ ...page, eventTypes }),
    (page) => page.deliveries,
  );
  const byEvent = Map.groupBy(deliveries.items, ({ eventId }) => eventId);
  const found = new Map<string, Arrived>();
  for (const { id, type } of events.items) {
    const one = found.get(type) ?? { type, arrived: 0, happened: 0 };
    const own = byEvent.get(id);
    const isTaken = own ? own.every(({ state }) => state === DeliveryState.DELIVERED) : endpoints.length === 0;
    found.set(type, { ...one, happened: one.happened + 1, arrived: one.arrived + (isTaken ? 1 : 0) });
  }
  return found;
}

async function missing(webhooks: Client<typeof WebhookService>, wanted: readonly Wanted[]): Promise<CliError> {
  const found = await arrivedOf(webhooks, []);
  const words = wanted.map(({ type, count }) => {
    const { arrived, happened } = found.get(type) ?? { arrived: 0, happened: 0 };
    return `${type}: ${arrived} of ${count} arrived${happened > arrived ? `, ${happened} happened` : ""}`;
  });
  const came = [...found.values()].filter(({ arrived }) => arrived > 0);
  const told = came.map(({ type, arrived }) => `${type} ${arrived}`).toSorted();
  return new CliError("deadline_exceeded", words.join("; "), {
    hint: `What arrived: ${told.join(", ") || "nothing"}.`,
  });
}
