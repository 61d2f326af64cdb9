import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import {
  formatPublicKey,
  formatSecret,
  parsePrivateKey,
  parseSecret,
  publicKeyOf,
  sign,
  signingKey,
} from "../../server/webhook/signature.ts";

// Published with the libraries of Svix.
const privateKey = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const publicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

describe("sign", () => {
  // Published with Standard Webhooks and with the libraries of Svix.
  test.each([
    {
      secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      timestamp: 1614265330,
      body: '{"test": 2432232314}',
      signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    {
      secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
      id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
      timestamp: 1649367553,
      body: '{"email":"test@example.com","username":"test_user"}',
      signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    },
    {
      secret: "whsec_plJ3nmyCDGBKInavdOK15jsl",
      id: "msg_loFOjxBNrRLzqYUf",
      timestamp: 1731705121,
      body: '{"event_type":"ping","data":{"success":true}}',
      signature: "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    },
  ])("agrees with the published signature of $id", ({ secret, id, timestamp, body, signature }) => {
    // Two of the published secrets are shorter than what may be made here.
    const key = createSecretKey(Buffer.from(secret.slice("whsec_".length), "base64"));
    expect(sign(key, id, timestamp, body)).toBe(signature);
  });

  test("agrees with the published ed25519 signature, and with the public key of its private one", () => {
    const seed = parsePrivateKey(privateKey) as Buffer;
    expect(formatPublicKey(publicKeyOf(seed))).toBe(publicKey);
    const key = signingKey("V1A", seed);
    expect(sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')).toBe(
      "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
    );
  });

  test("makes what the public verifier accepts, for any body", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 64 }), fc.json(), (bytes, body) => {
        const key = Buffer.from(bytes);
        const timestamp = Math.floor(Date.now() / 1000);
        const headers = {
          "webhook-id": "evt_1",
          "webhook-timestamp": String(timestamp),
          "webhook-signature": sign(createSecretKey(key), "evt_1", timestamp, body),
        };
        const verifier = new Webhook(formatSecret(key));
        expect(verifier.verify(body, headers)).toEqual(JSON.parse(body));
        expect(() => verifier.verify(`${body} `, headers)).toThrow("No matching signature");
      }),
    );
  });
});

describe("parseSecret", () => {
  test("reads what formatSecret writes", () => {
    for (let length = 24; length <= 64; length++) {
      const key = randomBytes(length);
      expect(parseSecret(formatSecret(key))).toEqual(key);
    }
  });

  test.each([
    ["23 bytes", formatSecret(Buffer.alloc(23, 7))],
    ["65 bytes", formatSecret(Buffer.alloc(65, 7))],
    ["no prefix", Buffer.alloc(32, 7).toString("base64")],
    ["no padding", formatSecret(Buffer.alloc(32, 7)).replace("=", "")],
    ["bits that are not used", `${formatSecret(Buffer.alloc(32, 7)).slice(0, -2)}d=`],
    ["base64url", formatSecret(Buffer.alloc(32, 0xff)).replaceAll("/", "_")],
  ])("refuses %s", (_, secret) => {
    expect(parseSecret(secret)).toBeUndefined();
  });
});

describe("parsePrivateKey", () => {
  const bytes = Buffer.from(privateKey.slice("whsk_".length), "base64");

  test.each([
    ["a seed alone", `whsk_${bytes.subarray(0, 32).toString("base64")}`],
    ["another's public half", `whsk_${Buffer.concat([bytes.subarray(0, 32), Buffer.alloc(32, 7)]).toString("base64")}`],
    ["more than both", `whsk_${Buffer.concat([bytes, Buffer.alloc(1)]).toString("base64")}`],
    ["a secret of v1", formatSecret(bytes)],
    ["no padding", privateKey.replaceAll("=", "")],
    ["nothing", "whsk_"],
  ])("refuses %s", (_, secret) => {
    expect(parsePrivateKey(secret)).toBeUndefined();
  });
});
