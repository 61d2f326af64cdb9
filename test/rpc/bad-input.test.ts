import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { catalog } from "../support/catalog.ts";
import { doors, type EventInit } from "../support/doors.ts";
import { setup } from "../support/harness.ts";

// Events that are not stored, and what they are told. The tenant's clock stands at 2015-05-21.

const at = (time: string) => timestampFromDate(new Date(time));
const { INVALID_FIELD, INVALID_AMOUNT, UNKNOWN_METRIC, TIME_AHEAD, TIME_TOO_OLD } = ErrorReason;
const { ACCEPTED, REJECTED } = UsageOutcome;
const CLOCK = /the tenant's clock stands at 2015-05-21T00:00:00.000Z/;

const badEvents: [string, EventInit, ErrorReason, string, RegExp?][] = [
  ["an unknown metric", { metric: "API_CAL" }, UNKNOWN_METRIC, "metric", /did you mean API_CALL\?/],
  ["no metric", { metric: "" }, INVALID_FIELD, "metric"],
  ["a metric of 300 characters", { metric: "M".repeat(300) }, INVALID_FIELD, "metric"],
  ["no amount", { amount: "" }, INVALID_AMOUNT, "amount"],
  ["a negative amount", { amount: "-1" }, INVALID_AMOUNT, "amount", /negative/],
  ["an amount that is a word", { amount: "ten" }, INVALID_AMOUNT, "amount", /decimal number/],
  ["an amount in hexadecimal", { amount: "0x10" }, INVALID_AMOUNT, "amount"],
  ["an amount with a blank", { amount: " 1" }, INVALID_AMOUNT, "amount"],
  ["an amount with a comma", { amount: "1,5" }, INVALID_AMOUNT, "amount"],
  ["NaN", { amount: "NaN" }, INVALID_AMOUNT, "amount"],
  ["infinity", { amount: "Infinity" }, INVALID_AMOUNT, "amount"],
  ["1e400", { amount: "1e400" }, INVALID_AMOUNT, "amount", /more than 20 digits/],
  ["1e-400", { amount: "1e-400" }, INVALID_AMOUNT, "amount", /after the point/],
  ["1e1000000000", { amount: "1e1000000000" }, INVALID_AMOUNT, "amount"],
  ["an amount of 40 digits", { amount: "1".repeat(40) }, INVALID_AMOUNT, "amount", /more than 20 digits/],
  ["13 digits after the point", { amount: "0.1234567890123" }, INVALID_AMOUNT, "amount", /12 digits after/],
  ["an amount of 65 characters", { amount: `0.${"1".repeat(63)}` }, INVALID_FIELD, "amount"],
  ["digits that are not ASCII", { amount: "١٢" }, INVALID_AMOUNT, "amount"],
  ["no customer", { customerId: "" }, INVALID_FIELD, "customer_id"],
  ["a customer of 300 characters", { customerId: "c".repeat(300) }, INVALID_FIELD, "customer_id"],
  ["NUL in the customer", { customerId: "a\0b" }, INVALID_FIELD, "customer_id"],
  ["a line break in the customer", { customerId: "a\nb" }, INVALID_FIELD, "customer_id"],
  ["NUL in the metric", { metric: "API\0CALL" }, INVALID_FIELD, "metric"],
  ["NUL in the amount", { amount: "1\0" }, INVALID_AMOUNT, "amount"],
  ["a key of 300 characters", { idempotencyKey: "k".repeat(300) }, INVALID_FIELD, "idempotency_key"],
  ["NUL in the key", { idempotencyKey: "k\0" }, INVALID_FIELD, "idempotency_key"],
  ["NUL in a property", { properties: { path: "/\0" } }, INVALID_FIELD, 'properties["path"]'],
  ["NUL in a property's name", { properties: { "a\0": "b" } }, INVALID_FIELD, 'properties["a\\u0000"]'],
  ["a property without a name", { properties: { "": "b" } }, INVALID_FIELD, 'properties[""]'],
  ["a long property", { properties: { path: "x".repeat(300) } }, INVALID_FIELD, 'properties["path"]'],
  [
    "a property called __proto__",
    { properties: JSON.parse('{"__proto__":"x"}') },
    INVALID_FIELD,
    'properties["__proto__"]',
  ],
  ["33 properties", { properties: Object.fromEntries(numbered(33)) }, INVALID_FIELD, "properties"],
  ["a time too far ahead", { occurredAt: at("2015-05-21T00:05:01Z") }, TIME_AHEAD, "occurred_at", CLOCK],
  ["the end of time", { occurredAt: at("9999-12-31T23:59:59Z") }, TIME_AHEAD, "occurred_at", CLOCK],
  ["a time too far back", { occurredAt: at("2015-04-15T23:59:59Z") }, TIME_TOO_OLD, "occurred_at", CLOCK],
  ["a time before 1970", { occurredAt: at("1969-12-31T23:59:59Z") }, TIME_TOO_OLD, "occurred_at", /1970/],
  ["the beginning of time", { occurredAt: at("0001-01-01T00:00:00Z") }, TIME_TOO_OLD, "occurred_at"],
];

function numbered(count: number): [string, string][] {
  return Array.from({ length: count }, (_, place) => [`p${place}`, "x"]);
}

test("an event that breaks a rule is rejected with its reason and field, through every door, and leaves nothing", async () => {
  const { api, clients, tenant, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const good: EventInit = { metric: "API_CALL", amount: "1", customerId: "user_123" };
  const events = badEvents.map(([, event]) => ({ idempotencyKey: "bad", ...good, ...event }));
  for (const [door, send] of Object.entries(doors)) {
    const { answer, results } = await send(api.url, { "x-usageflow-api-key": tenant.testKey }, events);
    expect([door, answer.code, answer.requestId.length]).toEqual([door, "ok", 36]);
    for (const [place, [name, , reason, field, message = /./]] of badEvents.entries()) {
      const { outcome, ...told } = { ...results[place] };
      expect([door, name, outcome, told]).toMatchObject([door, name, REJECTED, { reason, field }]);
      expect(told.message).toMatch(message);
    }
  }
  expect(await ownerDb.selectFrom("usage_event").selectAll().execute()).toEqual([]);
});

test("one bad event does not touch its neighbours", async () => {
  const { api, clients, tenant, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  for (const [door, send] of Object.entries(doors)) {
    const events = ["1", "-1", "2"].map((amount) => ({ metric: "API_CALL", amount, customerId: door }));
    const { results } = await send(api.url, { "x-usageflow-api-key": tenant.testKey }, events);
    expect([door, results.map((result) => result.outcome)]).toEqual([door, [ACCEPTED, REJECTED, ACCEPTED]]);
  }
  expect(await ownerDb.selectFrom("usage_event").select("customer_id").execute()).toHaveLength(12);
});

test("backfill records what is older than the window, but not what is before 1970 or ahead", async () => {
  const { api, clients, tenant, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const times = ["2014-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2016-01-01T00:00:00Z"];
  for (const [door, send] of Object.entries(doors)) {
    const events = times.map((time) => ({ metric: "API_CALL", amount: "1", customerId: door, occurredAt: at(time) }));
    const { results } = await send(api.url, { "x-usageflow-api-key": tenant.testKey }, events, { backfill: true });
    const reasons = results.map((result) => result.reason);
    expect([door, reasons]).toEqual([door, [ErrorReason.UNSPECIFIED, TIME_TOO_OLD, TIME_AHEAD]]);
  }
  const rows = await ownerDb.selectFrom("usage_event").select("occurred_at").execute();
  expect(rows).toEqual(Array(6).fill({ occurred_at: new Date("2014-01-01T00:00:00Z") }));
});

test("what is just within the limits is accepted, and kept as it was sent", async () => {
  const { api, clients, tenant, ownerDb } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  const limits: EventInit = {
    metric: "API_CALL",
    amount: "12345678901234567890.123456789012",
    customerId: "é".repeat(255),
    properties: Object.fromEntries(numbered(31).concat([["constructor", "😀".repeat(255)]])),
    occurredAt: at("2015-05-21T00:05:00Z"),
  };
  for (const [door, send] of Object.entries(doors)) {
    const event = { ...limits, idempotencyKey: door.padEnd(255, "k") };
    const { results } = await send(api.url, { "x-usageflow-api-key": tenant.testKey }, [event]);
    expect([door, results]).toMatchObject([door, [{ outcome: ACCEPTED }]]);
    const row = await ownerDb
      .selectFrom("usage_event")
      .selectAll()
      .where("idempotency_key", "=", event.idempotencyKey)
      .executeTakeFirst();
    const { amount, customerId: customer_id, properties } = limits;
    const occurred_at = new Date("2015-05-21T00:05:00Z");
    expect([door, row]).toMatchObject([door, { amount, customer_id, properties, occurred_at, occurred_at_sent: true }]);
  }
});
