import { Webhook } from "standardwebhooks";
import type { Config } from "../../server/config.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { stageEvents, times } from "./stage-events.ts";

/** A tenant with an endpoint at a receiver, and `events` events that were dispatched to it. */
export async function setupDeliveries(events: number, config: Partial<Config> = {}) {
  const harness = await setup({ config: { emulator: true, ...config } });
  const { app, clients, tenant } = harness;
  const receiver = await startReceiver();
  const { endpoint, secret } = await clients.webhook.createEndpoint({ url: receiver.url });
  await stageEvents(app, tenant.testId, times(events));
  while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  const list = async () => (await clients.webhook.listDeliveries({ pageSize: 1000 })).deliveries;
  const only = async () => {
    const [delivery] = await list();
    const answered = await clients.webhook.getDelivery({ id: delivery?.id ?? "" });
    if (!answered.delivery) throw new Error("no delivery");
    return answered.delivery;
  };
  return { ...harness, receiver, endpointId: endpoint?.id ?? "", verifier: new Webhook(secret), list, only };
}
