import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { describe, expect, test } from "vitest";
import { SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import type { Received } from "../support/receiver.ts";
import { setupDeliveries } from "./deliveries.ts";

// What receivers verify with who have never heard of us. Neither knows v1a; handler.test.ts and endpoint-secret.test.ts verify
// that with node:crypto.

const verifiers = { standardwebhooks: StandardWebhook, svix: SvixWebhook };

/** Whether a library accepts a message with a secret. */
function accepts(Verifier: (typeof verifiers)[keyof typeof verifiers], secret: string, message: Received): boolean {
  try {
    new Verifier(secret).verify(message.body, message.headers);
    return true;
  } catch {
    return false;
  }
}

/** An endpoint, and what its receiver gets of one more event. */
async function setupEndpoint() {
  const { clients, drain, endpointId, receiver } = await setupDeliveries(0);
  const next = async () => {
    await clients.webhook.sendTestEvent({ endpointId });
    await drain();
    return receiver.got.at(-1) as Received;
  };
  const rotate = async (signatureKind: SignatureKind) =>
    (await clients.webhook.rotateEndpointSecret({ id: endpointId, signatureKind })).secret;
  return { next, rotate };
}

describe.each(Object.entries(verifiers))("%s", (_, Verifier) => {
  test("accepts what is sent, and nothing else", async () => {
    const { next, rotate } = await setupEndpoint();
    const secret = await rotate(SignatureKind.V1);
    const message = await next();
    const { headers, body } = message;
    expect(accepts(Verifier, secret, message)).toBe(true);
    expect(accepts(Verifier, `whsec_${"A".repeat(44)}`, message)).toBe(false);
    expect(accepts(Verifier, secret, { ...message, body: `${body} ` })).toBe(false);
    expect(accepts(Verifier, secret, { ...message, headers: { ...headers, "webhook-id": "evt_other" } })).toBe(false);
    const later = String(Number(headers["webhook-timestamp"]) + 1);
    expect(accepts(Verifier, secret, { ...message, headers: { ...headers, "webhook-timestamp": later } })).toBe(false);
  });

  test("accepts it with either secret while one takes the other's place, of whatever kind the new one is", async () => {
    const { next, rotate } = await setupEndpoint();
    const first = await rotate(SignatureKind.V1);
    const second = await rotate(SignatureKind.V1);
    const both = await next();
    expect([first, second].map((secret) => accepts(Verifier, secret, both))).toEqual([true, true]);
    await rotate(SignatureKind.V1A);
    const mixed = await next();
    expect(mixed.headers["webhook-signature"]).toMatch(/^v1a,\S+ v1,\S+ v1,\S+/);
    expect([first, second].map((secret) => accepts(Verifier, secret, mixed))).toEqual([true, true]);
  });
});
