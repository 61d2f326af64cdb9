import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AcknowledgeDeliveryRequestSchema,
  ListenDelivery,
  ListenRequestSchema,
  ListenResponse,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { Config } from "../../server/config.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { collect } from "../support/collect.ts";
import { setup } from "../support/harness.ts";
import { type InvoiceEventType, stageEvents } from "./stage-events.ts";

/** A tenant whose events a test listens to. */
export async function setupListening(config: Partial<Config> = {}) {
  const harness = await setup({ config: { deliveryScheduleMs: [0, 1_000], ...config } });
  const { app, clients, tenant } = harness;
  const dispatch = async () => {
    while ((await dispatchEvents(app, [fanOut(app)])) > 0);
  };
  return {
    ...harness,
    dispatch,
    /** Events of customers 0, 1, ... */
    async happen(types: readonly InvoiceEventType[]) {
      await stageEvents(app, tenant.testId, types);
      await dispatch();
    },
    listen: (request: MessageInitShape<typeof ListenRequestSchema> = {}, of = clients) =>
      collect((signal) => of.webhook.listen({ name: "laptop", client: "laptop 1", ...request }, { signal })),
    async acknowledge(
      { deliveryId, attempt }: ListenDelivery,
      answer: MessageInitShape<typeof AcknowledgeDeliveryRequestSchema> = {},
    ) {
      const told = { deliveryId, attempt, client: "laptop 1", status: 204, ...answer };
      const { delivery } = await clients.webhook.acknowledgeDelivery(told);
      if (!delivery) throw new Error("no delivery");
      return delivery;
    },
  };
}

/** The deliveries among what was streamed. */
export function deliveriesOf(got: readonly ListenResponse[]): ListenDelivery[] {
  return got.flatMap(({ message }) => (message.case === "delivery" ? [message.value] : []));
}

/** Sequence and attempt of each. */
export function numbersOf(got: readonly ListenResponse[]): [sequence: number, attempt: number][] {
  return deliveriesOf(got).map(({ sequence, attempt }) => [Number(sequence), attempt]);
}

/** Whether so many deliveries were streamed. */
export function deliveries(count: number): (got: readonly ListenResponse[]) => boolean {
  return (got) => deliveriesOf(got).length >= count;
}

/** Whether the stream is open. */
export function isOpen(got: readonly ListenResponse[]): boolean {
  return got.length > 0;
}
