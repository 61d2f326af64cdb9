import { type Endpoint, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { facts } from "./table.ts";
import { moment } from "./text.ts";

/** Whether events are sent to it. */
export function endpointState({ pausedAt, disabledAt }: Endpoint): string {
  if (disabledAt) return "disabled";
  return pausedAt ? "paused" : "active";
}

/** An endpoint for people. */
export function endpointText(endpoint: Endpoint): string {
  return facts({
    Endpoint: endpoint.id,
    State: endpointState(endpoint),
    URL: endpoint.url,
    Listener: endpoint.listenerName,
    Description: endpoint.description,
    Events: endpoint.eventTypes.join(", ") || "*",
    Headers: endpoint.headerNames.join(", "),
    Metadata: Object.entries(endpoint.metadata)
      .map(([key, value]) => `${key}=${value}`)
      .join(", "),
    Signature: endpoint.signatureKind === SignatureKind.V1A ? "v1a" : "v1",
    "Public key": endpoint.publicKey,
    "Old secret until": moment(endpoint.formerSecretsUntil),
    Ordered: endpoint.ordered ? "by customer" : "",
    "Max per second": endpoint.maxPerSecond ? String(endpoint.maxPerSecond) : "",
    "Max in flight": endpoint.maxInFlight ? String(endpoint.maxInFlight) : "",
    Made: moment(endpoint.createdAt),
    Paused: moment(endpoint.pausedAt),
    Disabled: [moment(endpoint.disabledAt), endpoint.disabledReason].filter((part) => part !== "").join(": "),
  });
}

/** What a receiver needs to verify with, once: a secret, or the public key. */
export function madeSecretText({ endpoint, secret }: { endpoint?: Endpoint | undefined; secret: string }): string {
  return facts({
    Endpoint: endpoint?.id ?? "",
    URL: endpoint?.url ?? "",
    Secret: secret,
    "Public key": endpoint?.publicKey ?? "",
    "Old secret until": moment(endpoint?.formerSecretsUntil),
  });
}
