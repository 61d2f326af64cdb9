import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { formatSecret, parseSecret, sign } from "../../server/webhook/signature.ts";

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
