import type { Endpoint } from "../../gen/usageflow/v1/webhook_pb.ts";
import { facts } from "./table.ts";
import { time } from "./text.ts";

/** A webhook endpoint in full. */
export function endpointText(endpoint: Endpoint): string {
  return facts({
    Endpoint: endpoint.id,
    URL: endpoint.url,
    Description: endpoint.description,
    Events: endpoint.eventTypes.join(", ") || "*",
    Made: time(endpoint.createdAt),
  });
}
