import { type Endpoint, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { facts } from "./table.ts";
import { time } from "./text.ts";

/** An endpoint for people. */
export function endpointText(endpoint: Endpoint): string {
  return facts({
    Endpoint: endpoint.id,
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
    "Old secret until": time(endpoint.formerSecretsUntil),
    Ordered: endpoint.ordered ? "by customer" : "",
    "Max per second": endpoint.maxPerSecond ? String(endpoint.maxPerSecond) : "",
    "Max in flight": endpoint.maxInFlight ? String(endpoint.maxInFlight) : "",
    Made: time(endpoint.createdAt),
    Paused: time(endpoint.pausedAt),
    Disabled: [time(endpoint.disabledAt), endpoint.disabledReason].filter((part) => part !== "").join(": "),
  });
}

/** What a receiver needs to verify with, once: a secret, or the public key. */
export function madeSecretText({ endpoint, secret }: { endpoint?: Endpoint | undefined; secret: string }): string {
  return facts({
    Endpoint: endpoint?.id ?? "",
    URL: endpoint?.url ?? "",
    Secret: secret,
    "Public key": endpoint?.publicKey ?? "",
    "Old secret until": time(endpoint?.formerSecretsUntil),
  });
}
