import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TrackUsageRequestSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { catalog } from "../support/catalog.ts";
import { TRACK_USAGE } from "../support/doors.ts";
import { type Harness, setup } from "../support/harness.ts";
import {
  connectJson,
  connectProto,
  frameOf,
  grpc,
  grpcGzip,
  grpcUnframed,
  grpcWeb,
  type Wire,
} from "../support/wire.ts";

// Bodies that are not what they should be: refused as a whole, readably, and nothing of them is kept.

const MEGABYTE = 1024 * 1024;
const EVENT = '{"metric":"API_CALL","amount":"1","customerId":"user_123"}';
const latin = (text: string) => Buffer.from(text, "latin1");

async function start() {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  return harness;
}

const stored = ({ ownerDb }: Harness) => ownerDb.selectFrom("usage_event").selectAll().execute();

/** `POST /api/track` with a body as it is: status, reason and field. */
async function track({ api, tenant }: Harness, body: string | Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.url}/api/track`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-usageflow-api-key": tenant.testKey, ...headers },
    body: body as NonNullable<RequestInit["body"]>,
  });
  const { error, ...answer } = JSON.parse(await response.text());
  expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  if (error) expect(error.requestId).toBe(response.headers.get("x-request-id"));
  const { reason, field } = error ?? answer;
  return [response.status, reason, field];
}

test("POST /api/track says what is wrong with a body", async () => {
  const harness = await start();
  const event = (more: string) => EVENT.replace("}", `,${more}}`);
  const cases: [string, string | Buffer, number, string, string][] = [
    ["nothing", "", 400, "MALFORMED_BODY", ""],
    ["broken JSON", '{"metric":', 400, "MALFORMED_BODY", ""],
    ["two values", "{}{}", 400, "MALFORMED_BODY", ""],
    ["a byte order mark", `\ufeff${EVENT}`, 400, "MALFORMED_BODY", ""],
    ["a bare NaN", EVENT.replace('"1"', "NaN"), 400, "MALFORMED_BODY", ""],
    ["invalid UTF-8", latin(EVENT.replace("user", "\xff")), 400, "MALFORMED_BODY", ""],
    ["an overlong encoding of NUL", latin(EVENT.replace("user", "\xc0\x80")), 400, "MALFORMED_BODY", ""],
    ["null", "null", 400, "INVALID_FIELD", ""],
    ["a number", "5", 400, "INVALID_FIELD", ""],
    ["an empty object", "{}", 400, "INVALID_FIELD", "metric"],
    ["an empty array", "[]", 400, "INVALID_FIELD", ""],
    ["1,001 events", `[${Array(1001).fill(EVENT)}]`, 400, "TOO_LARGE", ""],
    ["5 MB", `"${"x".repeat(5 * MEGABYTE)}"`, 413, "TOO_LARGE", ""],
    ["an unknown field", event('"amout":1'), 400, "INVALID_FIELD", "amout"],
    ["a field called __proto__", event('"__proto__":{"metric":"X"}'), 400, "INVALID_FIELD", "__proto__"],
    ["a field twice, under both its names", event('"customer_id":"x"'), 400, "INVALID_FIELD", "customerId"],
    ["a customer that is a number", EVENT.replace('"user_123"', "5"), 400, "INVALID_FIELD", "customerId"],
    ["an amount that is an object", EVENT.replace('"1"', "{}"), 400, "INVALID_FIELD", "amount"],
    ["an amount that is true", EVENT.replace('"1"', "true"), 400, "INVALID_FIELD", "amount"],
    ["a negative number", EVENT.replace('"1"', "-1"), 400, "INVALID_AMOUNT", "amount"],
    ["a number too large for a float", EVENT.replace('"1"', "1e400"), 400, "INVALID_AMOUNT", "amount"],
    ["40 digits", EVENT.replace('"1"', "1".repeat(40)), 400, "INVALID_AMOUNT", "amount"],
    ["13 digits after the point", EVENT.replace('"1"', "0.1234567890123"), 400, "INVALID_AMOUNT", "amount"],
    ["a time that is none", event('"occurredAt":"yesterday"'), 400, "INVALID_FIELD", "occurredAt"],
    ["a time that is a number", event('"occurredAt":5'), 400, "INVALID_FIELD", "occurredAt"],
    ["properties that are a list", event('"properties":[]'), 400, "INVALID_FIELD", "properties"],
    ["a property that is an object", event('"properties":{"a":{}}'), 400, "INVALID_FIELD", "properties"],
    ["an escaped NUL", event('"properties":{"a":"\\u0000"}'), 400, "INVALID_FIELD", 'properties["a"]'],
    ["an escaped NUL in a name", event('"properties":{"\\u0000":"a"}'), 400, "INVALID_FIELD", 'properties["\\u0000"]'],
    ["half a surrogate pair", EVENT.replace("user", "\\ud800"), 400, "INVALID_FIELD", "customerId"],
    ["half a pair in a property", event('"properties":{"a":"\\udc00"}'), 400, "INVALID_FIELD", "properties"],
    ["half a pair in a name", event('"properties":{"\\ud800":"a"}'), 400, "INVALID_FIELD", "properties"],
    ["half a pair as a key", event('"idempotencyKey":"\\ud800"'), 400, "INVALID_FIELD", "idempotencyKey"],
    ["a name with underscores", event('"properties":{"my_path":"\\n"}'), 400, "INVALID_FIELD", 'properties["my_path"]'],
    [
      "a property called __proto__",
      event('"properties":{"__proto__":"x"}'),
      400,
      "INVALID_FIELD",
      'properties["__proto__"]',
    ],
  ];
  for (const [name, body, ...expected] of cases) {
    expect([name, ...(await track(harness, body))]).toEqual([name, ...expected]);
  }
  expect(await stored(harness)).toEqual([]);
});

test("POST /api/track keeps every digit of a number, however it is written", async () => {
  const harness = await start();
  const numbers = {
    "1e3": "1000",
    "1.5E+1": "15",
    "25e-1": "2.5",
    "12345678901234567890.123456789012": "12345678901234567890.123456789012",
    "0.1000000000000000055": undefined, // more digits than are kept: refused, not rounded
    "9007199254740993": "9007199254740993",
    "0.000000000001": "0.000000000001",
    "-0": "0",
    "1.50": "1.5",
  };
  for (const [number, amount] of Object.entries(numbers)) {
    const body = `{"metric":"API_CALL","amount":${number},"customerId":"c","idempotencyKey":"n${number}"}`;
    const [status] = await track(harness, body);
    expect([number, status]).toEqual([number, amount === undefined ? 400 : 200]);
    const row = await harness.ownerDb
      .selectFrom("usage_event")
      .select((expression) => expression.fn<string>("trim_scale", ["amount"]).as("amount"))
      .where("idempotency_key", "=", `n${number}`)
      .executeTakeFirst();
    expect([number, row?.amount]).toEqual([number, amount]);
  }
  await track(
    harness,
    `{"metric":"API_CALL","amount":1,"customerId":"c","properties":{"n":0.10,"big":12345678901234567890,"yes":true}}`,
  );
  const last = (await stored(harness)).find(({ properties }) => Object.keys(properties as object).length > 0);
  expect(last?.properties).toEqual({ n: "0.10", big: "12345678901234567890", yes: "true" });
});

test("POST /api/track takes JSON as application/json, uncompressed, and nothing else", async () => {
  const harness = await start();
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"]) {
    expect([type, ...(await track(harness, EVENT, { "content-type": type }))]).toEqual([
      type,
      415,
      "UNSUPPORTED_CONTENT_TYPE",
      "",
    ]);
  }
  for (const encoding of ["gzip", "br", "zstd"]) {
    const answer = await track(harness, EVENT, { "content-encoding": encoding });
    expect([encoding, ...answer]).toEqual([encoding, 415, "UNSUPPORTED_CONTENT_TYPE", ""]);
  }
  expect(await stored(harness)).toEqual([]);
  expect((await track(harness, EVENT, { "content-type": "Application/JSON; charset=utf-8" }))[0]).toBe(200);
});

test("a small body that is large when it is unpacked is refused, and not unpacked to its end", async () => {
  const { api, tenant } = await start();
  const zeros = Buffer.alloc(100 * MEGABYTE);
  const headers = { "x-usageflow-api-key": tenant.testKey };
  const refusal = { code: "resource_exhausted", reason: "TOO_LARGE" };
  const before = process.memoryUsage().rss;
  const body = gzipSync(zeros);
  expect(body.length).toBeLessThan(MEGABYTE);
  for (const wire of [connectJson, connectProto]) {
    const more = { ...headers, "content-encoding": "gzip" };
    expect(await wire({ url: api.url, path: TRACK_USAGE, body, headers: more })).toMatchObject(refusal);
  }
  for (const wire of [grpcUnframed, grpcWeb]) {
    const framed = wire === grpcWeb ? body : frameOf(1, body);
    const more = { ...headers, "grpc-encoding": "gzip" };
    const answer = await wire({ url: api.url, path: TRACK_USAGE, body: framed, headers: more });
    // gRPC-Web's frame says that it is not compressed: then it is no message.
    expect(answer).toMatchObject(wire === grpcWeb ? { code: "invalid_argument" } : refusal);
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * MEGABYTE);
});

test("answers are packed with gzip, and with nothing that costs more", async () => {
  const { api, tenant } = await start();
  const ask = (headers: Record<string, string>) =>
    fetch(`${api.url}/usageflow.v1.WebhookService/ListEventTypes`, {
      method: "POST",
      headers: { "x-usageflow-api-key": tenant.testKey, "content-type": "application/json", ...headers },
      body: "{}",
    });
  const packed = await ask({ "accept-encoding": "br, gzip" });
  expect([packed.status, packed.headers.get("content-encoding")]).toEqual([200, "gzip"]);
  const plain = await ask({ "accept-encoding": "br" });
  expect([plain.status, plain.headers.get("content-encoding")]).toEqual([200, null]);
  const refused = await ask({ "content-encoding": "br" });
  expect([refused.status, await refused.json()]).toMatchObject([501, { code: "unimplemented" }]);
});

test("a body of as many bytes as it may have is read, and one of one more is refused", async () => {
  const harness = await start();
  const body = (bytes: number) => EVENT + " ".repeat(bytes - EVENT.length);
  expect((await track(harness, body(4 * MEGABYTE)))[0]).toBe(200);
  expect(await track(harness, body(4 * MEGABYTE + 1))).toEqual([413, "TOO_LARGE", ""]);
});

test("Connect and gRPC say what is wrong with a body: a code, a reason, and a request id in every protocol", async () => {
  const harness = await start();
  const { api, tenant } = harness;
  const events = Array(1001).fill({ metric: "API_CALL", amount: "1", customerId: "user" });
  const request = (count: number) =>
    toBinary(TrackUsageRequestSchema, create(TrackUsageRequestSchema, { events: events.slice(0, count) }));
  const json = (event: string) => `{"events":[${event}]}`;
  const invalidUtf8 = latin(Buffer.from(request(1)).toString("latin1").replace("user", "\xff\xfe\xff\xfe"));
  const binary = { connectProto, grpc, grpcGzip, grpcWeb };
  const malformed = ["invalid_argument", "MALFORMED_BODY", ""];
  const tooMany = ["invalid_argument", "TOO_LARGE", "events"];
  const tooLarge = ["resource_exhausted", "TOO_LARGE", ""];
  const type = { "content-type": "text/plain" };
  const cases: [string, Record<string, Wire>, string | Uint8Array, string[], Record<string, string>?][] = [
    ["no protobuf", binary, Buffer.from([0xff, 0xff, 0xff]), malformed],
    ["a message that ends too early", binary, request(1).subarray(0, 9), malformed],
    ["invalid UTF-8", binary, invalidUtf8, malformed],
    ["no events", binary, request(0), ["invalid_argument", "INVALID_FIELD", "events"]],
    ["1,001 events", binary, request(1001), tooMany],
    ["5 MB", binary, Buffer.alloc(5 * MEGABYTE), tooLarge],
    ["not framed", { grpcUnframed }, Buffer.from("hello"), malformed],
    ["broken JSON", { connectJson }, '{"events":', malformed],
    ["invalid UTF-8", { connectJson }, latin(json(EVENT.replace("user", "\xff"))), malformed],
    ["half a surrogate pair", { connectJson }, json(EVENT.replace("user", "\\ud800")), malformed],
    ["an unknown field", { connectJson }, json('{"amout":"1"}'), malformed],
    ["a number for a string", { connectJson }, json(EVENT.replace('"1"', "1")), malformed],
    ["an unknown field of the request", { connectJson }, '{"event":[]}', [...malformed.slice(0, 2), "event"]],
    ["a wrong field of the request", { connectJson }, '{"events":5}', [...malformed.slice(0, 2), "events"]],
    ["no events", { connectJson }, "{}", ["invalid_argument", "INVALID_FIELD", "events"]],
    ["1,001 events", { connectJson }, json(`${Array(1001).fill(EVENT)}`), tooMany],
    ["5 MB", { connectJson }, `"${"x".repeat(5 * MEGABYTE)}"`, tooLarge],
    ["a wrong content type", { connectJson }, json(EVENT), ["invalid_argument", "UNSUPPORTED_CONTENT_TYPE", ""], type],
    [
      "an unknown compression",
      { connectJson },
      json(EVENT),
      ["unimplemented", "UNSUPPORTED_CONTENT_TYPE", ""],
      { "content-encoding": "zstd" },
    ],
    [
      "an unknown compression",
      { grpc, grpcWeb },
      request(1),
      ["unimplemented", "UNSUPPORTED_CONTENT_TYPE", ""],
      { "grpc-encoding": "zstd" },
    ],
    ["no gzip", { grpcUnframed }, frameOf(1, request(1)), malformed, { "grpc-encoding": "gzip" }],
    ["a timeout that is none", { grpc, grpcGzip, grpcWeb }, request(1), malformed, { "grpc-timeout": "soon" }],
  ];
  for (const [name, wires, body, expected, headers] of cases) {
    for (const [protocol, wire] of Object.entries(wires)) {
      const all = { "x-usageflow-api-key": tenant.testKey, ...headers };
      const { code, reason, field, requestId } = await wire({ url: api.url, path: TRACK_USAGE, body, headers: all });
      expect([name, protocol, code, reason, field]).toEqual([name, protocol, ...expected]);
      expect([name, protocol, requestId]).toEqual([name, protocol, expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    }
  }
  expect(await stored(harness)).toEqual([]);
});
