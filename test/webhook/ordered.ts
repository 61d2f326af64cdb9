import { sql } from "kysely";
import type { Config } from "../../server/config.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { type Harness, setup } from "../support/harness.ts";
import { type Received, startReceiver } from "../support/receiver.ts";
import { stageEventsOf } from "./stage-events.ts";

export const HOUR = 3_600_000;

/** A message in short: its customer and its sequence, such as `a1`. */
export function short({ body }: Pick<Received, "body">): string {
  const { data, sequence } = JSON.parse(body);
  return `${data.invoice?.customerId ?? ""}${sequence}`;
}

/** A tenant with an endpoint that is ordered, and a receiver that refuses what it is told to. */
export async function setupOrdered(config: Partial<Config> = {}, ordered = true) {
  const harness = await setup({
    config: { emulator: true, deliveryScheduleMs: [0, HOUR, HOUR], breakerFailures: 0, ...config },
  });
  const { app, clients, clock, tenant } = harness;
  const receiver = await startReceiver();
  const refused = new Map<string, number>();
  receiver.behave((response, request) => response.writeHead(refused.get(short(request)) ?? 204).end());
  const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url, ordered, eventTypes: ["invoice.*"] });
  const endpointId = endpoint?.id ?? "";
  const list = async () =>
    (await clients.webhook.listDeliveries({ endpointId, oldestFirst: true, pageSize: 1_000 })).deliveries;
  return {
    ...harness,
    receiver,
    endpointId,
    /** Answers a message with a status from now on: 204 takes it. */
    answer: (message: string, status: number) => refused.set(message, status),
    /** Makes deliveries of events about customers, such as "aab"; "-" is about none. */
    async make(customers: string) {
      await stageEventsOf(
        app,
        tenant.testId,
        [...customers].map((one) => one.replace("-", "")),
      );
      while ((await dispatchEvents(app, [fanOut(app)])) > 0);
    },
    /** Lets an hour pass, and what is due then be sent. */
    async passHour() {
      clock.advance(HOUR * 1.2);
      await harness.drain();
    },
    list,
    /** What came since it was last asked. */
    came: () => receiver.got.splice(0).map(short),
    /** The delivery with a sequence. */
    async of(sequence: number) {
      const found = (await list()).find((one) => one.sequence === BigInt(sequence));
      if (!found) throw new Error(`no delivery ${sequence}`);
      return found;
    },
  };
}

/** What is wrong with the order of what waits: a first that is held, another that is not, or one that is held by nothing. */
export async function disorder({ ownerDb }: Harness): Promise<unknown[]> {
  const { rows } = await sql`
    select * from (
      select due.sequence, due.lane, due.next_attempt_at = 'infinity' as held, endpoint.ordered,
        row_number() over (partition by due.tenant_id, due.endpoint_id, due.lane order by due.sequence) > 1 as behind
      from delivery_due due join endpoint on endpoint.tenant_id = due.tenant_id and endpoint.id = due.endpoint_id
    ) as due
    where held <> (lane is not null and behind) or (lane is not null and not ordered)`.execute(ownerDb);
  return rows;
}
