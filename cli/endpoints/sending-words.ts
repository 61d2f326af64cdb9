import type { Client } from "@connectrpc/connect";
import type { Delivery } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";

type Service = Client<typeof WebhookService>;

/** What becomes of a delivery that was just asked for: it is sent, or waits for something that somebody may do. */
export async function sendingWords(service: Service, delivery: Delivery, sent: string): Promise<string> {
  if (delivery.heldBy) return `${delivery.eventType} waits for ${delivery.heldBy}, which is before it.`;
  return (
    (await stoppedWords(service, delivery.endpointId)) ?? `${delivery.eventType} is ${sent} to ${delivery.endpointId}.`
  );
}

/** Why nothing is sent to an endpoint now, and what to do. Undefined: something is. */
export async function stoppedWords(service: Service, id: string): Promise<string | undefined> {
  const { endpoint } = await service.getEndpoint({ id });
  if (!endpoint?.pausedAt && !endpoint?.disabledAt) return undefined;
  const state = endpoint.disabledAt ? "disabled" : "paused";
  return `The endpoint is ${state}: what is to be sent waits for usageflow endpoints resume ${id}`;
}
