import { verify } from "node:crypto";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { setup } from "../support/harness.ts";
import { type Received, startReceiver } from "../support/receiver.ts";
import { refused } from "../support/refused.ts";
import { stageEvents, times } from "./stage-events.ts";

const HOUR = 3_600_000;
const privateKey = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

/** A tenant with an endpoint, and what its receiver gets of one more event. */
async function setupEndpoint(request: { secret?: string; signatureKind?: SignatureKind } = {}) {
  const harness = await setup({ config: { emulator: true } });
  const receiver = await startReceiver();
  const { endpoint, secret } = await harness.clients.webhook.createEndpoint({ url: receiver.url, ...request });
  const next = async () => {
    await stageEvents(harness.app, harness.tenant.testId, times(1));
    await harness.drain();
    return receiver.got.at(-1) as Received;
  };
  const rotate = (overlapHours?: number, more: { secret?: string; signatureKind?: SignatureKind } = {}) =>
    harness.clients.webhook.rotateEndpointSecret({
      id: endpoint?.id ?? "",
      ...(overlapHours === undefined ? {} : { overlap: { seconds: BigInt(overlapHours * 3_600) } }),
      ...more,
    });
  return { ...harness, receiver, endpoint, id: endpoint?.id ?? "", secret, next, rotate };
}

const signatures = ({ headers }: Received) => String(headers["webhook-signature"]).split(" ");

/** Which of these secrets verify a message: with the library that receivers use, but for its clock. */
function accepting(message: Received, secrets: readonly string[]): boolean[] {
  const { headers, body } = message;
  return secrets.map((secret) => {
    const at = new Date(Number(headers["webhook-timestamp"]) * 1000);
    const signed = new Webhook(secret).sign(String(headers["webhook-id"]), at, body);
    return signatures(message).includes(signed);
  });
}

/** Whether an ed25519 signature of a message is that of a public key. */
function isSignedWith(publicKey: string, { headers, body }: Received, signature = ""): boolean {
  const x = Buffer.from(publicKey.slice("whpk_".length), "base64").toString("base64url");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return verify(
    null,
    Buffer.from(signed),
    { key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" },
    Buffer.from(signature.slice("v1a,".length), "base64"),
  );
}

describe("a secret that is changed", () => {
  test("is used at once, newest first, and the one before for 24 hours more", async () => {
    const { clients, clock, id, next, rotate, secret } = await setupEndpoint();
    const made = await rotate();
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(made.secret).not.toBe(secret);
    expect(timestampDate(made.endpoint?.formerSecretsUntil as never).getTime()).toBe(clock.now().getTime() + 24 * HOUR);
    expect((await clients.webhook.getEndpoint({ id })).endpoint).toEqual(made.endpoint);
    const both = await next();
    expect(signatures(both)).toHaveLength(2);
    expect(accepting(both, [made.secret, secret])).toEqual([true, true]);
    expect(signatures(both)[0]).toBe(
      new Webhook(made.secret).sign(
        String(both.headers["webhook-id"]),
        new Date(Number(both.headers["webhook-timestamp"]) * 1000),
        both.body,
      ),
    );
    clock.advance(24 * HOUR - 1);
    expect(accepting(await next(), [made.secret, secret])).toEqual([true, true]);
    clock.advance(1);
    const alone = await next();
    expect(signatures(alone)).toHaveLength(1);
    expect(accepting(alone, [made.secret, secret])).toEqual([true, false]);
  });

  test("is deleted with those before it when their overlap is over, and not a moment earlier", async () => {
    const { clients, clock, drain, id, next, ownerDb, rotate } = await setupEndpoint();
    await rotate(24);
    const { secret } = await rotate(2);
    const kept = async () => (await ownerDb.selectFrom("endpoint_former_secret").selectAll().execute()).length;
    clock.advance(2 * HOUR - 1);
    await drain();
    expect(await kept()).toBe(2);
    clock.advance(1);
    await drain();
    expect(await kept()).toBe(0);
    expect((await clients.webhook.getEndpoint({ id })).endpoint?.formerSecretsUntil).toBeUndefined();
    expect(accepting(await next(), [secret])).toEqual([true]);
  });

  test("ends those before when the last overlap ends, and at once without one", async () => {
    const { clock, next, ownerDb, rotate, secret } = await setupEndpoint();
    const second = (await rotate(7 * 24)).secret;
    const third = (await rotate(2)).secret;
    expect(accepting(await next(), [third, second, secret])).toEqual([true, true, true]);
    clock.advance(2 * HOUR);
    expect(accepting(await next(), [third, second, secret])).toEqual([true, false, false]);
    await rotate(1);
    const { endpoint, secret: last } = await rotate(0);
    expect(endpoint?.formerSecretsUntil).toBeUndefined();
    expect(accepting(await next(), [last, third])).toEqual([true, false]);
    expect(await ownerDb.selectFrom("endpoint_former_secret").selectAll().execute()).toEqual([]);
  });

  test("may be the caller's own, and is shown by one answer and its repetition", async () => {
    const { clients, id, next } = await setupEndpoint();
    const secret = `whsec_${Buffer.alloc(64, 7).toString("base64")}`;
    const headers = { "idempotency-key": "k" };
    const once = await clients.webhook.rotateEndpointSecret({ id, secret }, { headers });
    expect(once.secret).toBe(secret);
    expect(await clients.webhook.rotateEndpointSecret({ id, secret }, { headers })).toEqual(once);
    const message = await next();
    expect(signatures(message)).toHaveLength(2);
    expect(accepting(message, [secret])).toEqual([true]);
  });

  test("is refused when it is none, with an overlap of more than 7 days, and when ten are in use", async () => {
    const { rotate } = await setupEndpoint();
    expect(await refused(rotate(1, { secret: `whsec_${"A".repeat(42)}B=` }))).toMatchObject({
      code: 3,
      field: "secret",
    });
    expect(await refused(rotate(1, { secret: privateKey }))).toMatchObject({ code: 3, field: "secret" });
    expect(await refused(rotate(169))).toMatchObject({ code: 3, field: "overlap" });
    expect(await refused(rotate(-1))).toMatchObject({ code: 3, field: "overlap" });
    for (let use = 2; use <= 10; use++) await rotate(1);
    expect(await refused(rotate(1))).toMatchObject({ code: 9, reason: ErrorReason.STATE_CONFLICT });
    await rotate(0);
    await rotate(1);
  });

  test("is one for all who change it at once", async () => {
    const { next, rotate, secret } = await setupEndpoint();
    const made = await Promise.all([rotate(1), rotate(1), rotate(1), rotate(1)]);
    const message = await next();
    expect(signatures(message)).toHaveLength(5);
    expect(accepting(message, [secret, ...made.map((one) => one.secret)])).toEqual([true, true, true, true, true]);
  });
});

describe("an endpoint that asks for v1a", () => {
  test("gets ed25519 signatures, shows its public key, and nobody its private one", async () => {
    const { clients, endpoint, id, next, secret } = await setupEndpoint({ signatureKind: SignatureKind.V1A });
    expect(secret).toBe("");
    expect(endpoint).toMatchObject({
      signatureKind: SignatureKind.V1A,
      publicKey: expect.stringMatching(/^whpk_.{44}$/),
    });
    expect((await clients.webhook.getEndpoint({ id })).endpoint).toEqual(endpoint);
    const message = await next();
    const [signature, ...others] = signatures(message);
    expect(others).toEqual([]);
    expect(signature).toMatch(/^v1a,/);
    expect(isSignedWith(endpoint?.publicKey ?? "", message, signature)).toBe(true);
    expect(isSignedWith(publicKey, message, signature)).toBe(false);
  });

  test("takes a private key of the caller's own, and no secret of v1", async () => {
    const { clients, endpoint, secret } = await setupEndpoint({ signatureKind: SignatureKind.V1A, secret: privateKey });
    expect([endpoint?.publicKey, secret]).toEqual([publicKey, ""]);
    const url = "http://localhost:4000";
    const wrong = { url, signatureKind: SignatureKind.V1A, secret: `whsec_${"A".repeat(44)}` };
    expect(await refused(clients.webhook.createEndpoint(wrong))).toMatchObject({ code: 3, field: "secret" });
    expect(await refused(clients.webhook.createEndpoint({ url, secret: privateKey }))).toMatchObject({
      field: "secret",
    });
  });

  test("may ask for it later, and get both kinds in the overlap", async () => {
    const { clock, next, rotate, secret } = await setupEndpoint();
    const { endpoint } = await rotate(1, { signatureKind: SignatureKind.V1A, secret: privateKey });
    const message = await next();
    expect(signatures(message).map((one) => one.split(",")[0])).toEqual(["v1a", "v1"]);
    expect(isSignedWith(endpoint?.publicKey ?? "", message, signatures(message)[0])).toBe(true);
    expect(accepting(message, [secret])).toEqual([true]);
    expect((await rotate(1)).endpoint?.signatureKind).toBe(SignatureKind.V1A);
    clock.advance(HOUR);
    const back = await rotate(0, { signatureKind: SignatureKind.V1 });
    expect(back.endpoint).toMatchObject({ signatureKind: SignatureKind.V1, publicKey: "" });
    expect(accepting(await next(), [back.secret])).toEqual([true]);
  });
});
