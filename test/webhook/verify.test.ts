import { createHmac, generateKeyPairSync, sign as signWith } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { explainMismatch } from "../../cli/webhooks/explain-mismatch.ts";
import { type Problem, type SignedMessage, verify } from "../../cli/webhooks/verify.ts";
import { formatPublicKey, formatSecret, publicKeyOf, sign, signingKey } from "../../server/webhook/signature.ts";

// Published with Standard Webhooks and with the libraries of Svix.
const vectors = [
  {
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: "1614265330",
    text: '{"test": 2432232314}',
    signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  },
  {
    secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
    timestamp: "1649367553",
    text: '{"email":"test@example.com","username":"test_user"}',
    signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
  },
  {
    secret: "whsec_plJ3nmyCDGBKInavdOK15jsl",
    id: "msg_loFOjxBNrRLzqYUf",
    timestamp: "1731705121",
    text: '{"event_type":"ping","data":{"success":true}}',
    signature: "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
  },
  {
    secret: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: "1614265330",
    text: '{"test": 2432232314}',
    signature: "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
  },
];
const [v1, , , v1a] = vectors as [(typeof vectors)[0], unknown, unknown, (typeof vectors)[0]];

type Vector = typeof v1;
const messageOf = ({ id, timestamp, text, signature }: Vector): SignedMessage => ({
  ...{ id, timestamp, signature, body: Buffer.from(text) },
});
const at = ({ timestamp }: Vector) => ({ atSeconds: Number.parseInt(timestamp, 10) });

function problemOf(vector: Vector, change: Partial<SignedMessage> = {}, secret: string | string[] = vector.secret) {
  const verdict = verify({ ...messageOf(vector), ...change }, secret, at(vector));
  return verdict.verified ? undefined : verdict.problem;
}

describe("verify", () => {
  test.each(vectors)("accepts the published $signature", (vector) => {
    expect(problemOf(vector)).toBeUndefined();
  });

  test.each(vectors)("refuses the published $signature of another message", (vector) => {
    expect(problemOf(vector, { id: `${vector.id}x` })).toBe("signature_mismatch");
    expect(problemOf(vector, { timestamp: String(Number(vector.timestamp) + 1) })).toBe("signature_mismatch");
    expect(problemOf(vector, { body: Buffer.from(`${vector.text}\n`) })).toBe("signature_mismatch");
  });

  test("accepts what the public library signs, for any body", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.string(), (key, text) => {
        const secret = formatSecret(key);
        const signature = new Webhook(secret).sign("msg_1", new Date(1_614_265_330_000), text);
        expect(problemOf({ secret, id: "msg_1", timestamp: "1614265330", text, signature })).toBeUndefined();
      }),
    );
  });

  test("accepts what the server signs, with both kinds of secret, and nothing with a bit turned", () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(seed, fc.constantFrom("V1", "V1A"), fc.string(), fc.nat({ max: 511 }), (bytes, kind, text, bit) => {
        const signature = sign(signingKey(kind as "V1" | "V1A", bytes), "evt_1", 1_614_265_330, text);
        const secret = kind === "V1" ? formatSecret(bytes) : formatPublicKey(publicKeyOf(bytes));
        const vector = { secret, id: "evt_1", timestamp: "1614265330", text, signature };
        expect(problemOf(vector)).toBeUndefined();
        const [version, base64 = ""] = signature.split(",");
        const turned = Buffer.from(base64, "base64");
        const place = (bit >> 3) % turned.length;
        turned[place] = (turned[place] as number) ^ (1 << (bit & 7));
        const changed = { signature: `${version},${turned.toString("base64")}` };
        expect(problemOf(vector, changed)).toBe("signature_mismatch");
      }),
    );
  });

  test("verifies bytes, text or not", () => {
    const body = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
    const key = Buffer.from(v1.secret.slice(6), "base64");
    const hmac = createHmac("sha256", key).update(`${v1.id}.${v1.timestamp}.`).update(body).digest("base64");
    expect(problemOf(v1, { body, signature: `v1,${hmac}` })).toBeUndefined();
  });

  test.each<[Problem, Partial<SignedMessage>]>([
    ["id_missing", { id: undefined }],
    ["id_missing", { id: "" }],
    ["id_malformed", { id: "msg.1" }],
    ["timestamp_missing", { timestamp: undefined }],
    ["timestamp_missing", { timestamp: "" }],
    ...[
      "1614265330abc",
      "1614265330.0",
      " 1614265330",
      "+1614265330",
      "01614265330",
      "0x60378832",
      "1.614265330e9",
      "-1",
    ].map((timestamp): [Problem, Partial<SignedMessage>] => ["timestamp_malformed", { timestamp }]),
    ["timestamp_too_old", { timestamp: "1614265029" }],
    ["timestamp_too_new", { timestamp: "1614265631" }],
    ["timestamp_too_new", { timestamp: "1614265330000" }],
    ["signature_missing", { signature: undefined }],
    ["signature_missing", { signature: "" }],
    ["signature_malformed", { signature: v1.signature.slice(3) }],
    ["signature_malformed", { signature: v1.signature.replace(",", " ") }],
    ["signature_malformed", { signature: `${v1.signature},` }],
    ["signature_malformed", { signature: v1.signature.replace(",", "=") }],
    ["signature_malformed", { signature: "v1,AAAA" }],
    ["signature_of_other_kind", { signature: v1.signature.replace("v1", "v2") }],
    ["signature_of_other_kind", { signature: v1a.signature }],
    ["signature_not_canonical", { signature: v1.signature.slice(0, -1) }],
    ["signature_not_canonical", { signature: v1.signature.replace("+", "-") }],
    ["signature_not_canonical", { signature: v1.signature.replace("OE=", "OF=") }],
    ["signature_mismatch", { signature: `v1,${Buffer.alloc(32).toString("base64")}` }],
  ])("says %s of %j", (problem, change) => {
    expect(problemOf(v1, change)).toBe(problem);
  });

  test.each<[string, string]>([
    ["no prefix", v1.secret.slice(6)],
    ["a private key", "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="],
    ["nothing", ""],
    ["nothing after its prefix", "whsec_"],
    ["base64 that is not canonical", `${v1.secret}A`],
    ["a public key that is too short", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOig=="],
  ])("says that a secret is malformed: %s", (_, secret) => {
    expect(problemOf(v1, {}, secret)).toBe("secret_malformed");
  });

  test("allows 300 s on either side, and what is asked for", () => {
    const age = (atSeconds: number, toleranceSeconds?: number) =>
      verify(messageOf(v1), v1.secret, { atSeconds, ...(toleranceSeconds ? { toleranceSeconds } : {}) }).verified;
    expect([1614265030, 1614265630].map((second) => age(second))).toEqual([true, true]);
    expect([1614265029, 1614265631].map((second) => age(second))).toEqual([false, false]);
    expect([1614265320, 1614265341].map((second) => age(second, 10))).toEqual([true, false]);
  });

  test("wants one signature that matches, beside any others, and one secret of several", () => {
    const others = ["v1,AAAA", "v2,x", v1a.signature, "nonsense", `v1,${Buffer.alloc(32).toString("base64")}`];
    expect(problemOf(v1, { signature: [...others, v1.signature].join(" ") })).toBeUndefined();
    expect(problemOf(v1, { signature: [v1.signature, ...others].join(" ") })).toBeUndefined();
    expect(problemOf(v1, {}, ["whsec_AAAA", v1.secret])).toBeUndefined();
    expect(problemOf(v1, { signature: v1a.signature }, [v1.secret, v1a.secret])).toBeUndefined();
    expect(problemOf(v1, {}, [])).toBe("secret_malformed");
  });

  test("does not take a public key for a secret of v1, nor a signature of one kind for another", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const bytes = Buffer.from(publicKey.export({ format: "jwk" }).x as string, "base64url");
    const signed = Buffer.from(`${v1.id}.${v1.timestamp}.${v1.text}`);
    const forged = createHmac("sha256", bytes).update(signed).digest("base64");
    const secret = formatPublicKey(bytes);
    expect(problemOf(v1, { signature: `v1,${forged}` }, secret)).toBe("signature_of_other_kind");
    expect(problemOf(v1, { signature: `v1a,${forged}` }, secret)).toBe("signature_malformed");
    const honest = signWith(null, signed, privateKey).toString("base64");
    expect(problemOf(v1, { signature: `v1a,${honest}` }, secret)).toBeUndefined();
  });
});

describe("explainMismatch", () => {
  const why = (body: string | Buffer, text: string, key = Buffer.from(v1.secret.slice(6), "base64")) => {
    const hmac = createHmac("sha256", key).update(`${v1.id}.${v1.timestamp}.${text}`).digest("base64");
    return explainMismatch({ ...messageOf(v1), signature: `v1,${hmac}`, body: Buffer.from(body) }, v1.secret, at(v1));
  };

  test.each([
    ['{"a":1}\n', '{"a":1}', "has no line break at its end"],
    ['{"a":1}', '{"a":1}\n', "has a line break at its end"],
    ['\ufeff{"a":1}', '{"a":1}', "has no byte order mark"],
    ["{\r\n}", "{\n}", "has line breaks of \\n alone"],
    ["{\n}", "{\r\n}", "has line breaks of \\r\\n"],
    ['{"a": [1, "b"]}', '{"a":[1,"b"]}', "is the same JSON without spaces"],
    ['{"a":1}', '{\n  "a": 1\n}', "is the same JSON, indented by 2"],
    ['{"a":[1,"b"]}', '{"a": [1, "b"]}', "is the same JSON with a space after , and :"],
  ])("finds that %j was %j", (body, text, change) => {
    expect(why(body, text)).toBe(`the body was changed: what was signed ${change}`);
  });

  test("finds a secret that was not decoded, and otherwise names what it may be", () => {
    expect(why("x", "x", Buffer.from(v1.secret))).toContain("the text of the secret with whsec_");
    expect(why("x", "x", Buffer.from(v1.secret.slice(6)))).toContain("the text after whsec_");
    expect(why("x", "y")).toBe(
      "either the secret is not the endpoint's, or the body, the id or the timestamp was changed after signing",
    );
  });
});
