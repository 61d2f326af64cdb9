import type { Endpoint } from "../../gen/usageflow/v1/webhook_pb.ts";
import { facts } from "./table.ts";
import { time } from "./text.ts";

/** An endpoint for people. */
export function endpointText(endpoint: Endpoint): string {
  return facts({
    Endpoint: endpoint.id,
    URL: endpoint.url,
    Description: endpoint.description,
    Events: endpoint.eventTypes.join(", ") || "*",
    Made: time(endpoint.createdAt),
    Paused: time(endpoint.pausedAt),
  });
}
