import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { UsageEventSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { findBreach } from "../../server/rpc/contract.ts";
import { checkEvent, isPlain } from "../../server/usage/check-event.ts";
import type { TenantFacts } from "../../server/usage/tenant-facts.ts";
import type { EventInit } from "../support/doors.ts";

const metric = (aggregation: string, uniqueProperty = "") => ({ aggregation, uniqueProperty });
const tenant: TenantFacts = {
  now: new Date("2015-05-21T00:00:00Z"),
  backfillWindowS: 86_400,
  metrics: new Map([
    ["SUM", metric("SUM")],
    ["MAX", metric("MAX")],
    ["COUNT", metric("COUNT")],
    ["UNIQUE", metric("UNIQUE", "ip")],
    ["ODD", metric("UNIQUE", "constructor")],
  ]),
};
const request = { tenantId: "t", backfill: false };
const check = (event: EventInit, backfill = false) =>
  checkEvent(create(UsageEventSchema, { metric: "SUM", amount: "1", customerId: "c", ...event }), tenant, {
    ...request,
    backfill,
  });

test("an event that is taken as plain keeps every rule of the contract", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 70 }),
    fc.string({ unit: "binary", maxLength: 70 }),
    fc.string({ unit: fc.constantFrom("a", "Z", "_", ".", "-", "1", " ", "\n", "\0", "\x7f", "é"), maxLength: 70 }),
    fc.nat({ max: 300 }).map((length) => "x".repeat(length)),
  );
  const event = fc.record({ metric: text, amount: text, customerId: text, idempotencyKey: text });
  let plain = 0;
  fc.assert(
    fc.property(event, (init) => {
      const message = create(UsageEventSchema, init);
      if (!isPlain(message)) return;
      plain++;
      expect(findBreach(UsageEventSchema, message)).toBeUndefined();
    }),
    { numRuns: 3_000 },
  );
  expect(plain).toBeGreaterThan(50);
  const usual = { metric: "API_CALL", amount: "1", customerId: "user_123", idempotencyKey: "a" };
  expect(isPlain(create(UsageEventSchema, usual))).toBe(true);
});

test("an amount may be left out where it is not read, and is 1 there", () => {
  expect(check({ metric: "COUNT", amount: "" })).toMatchObject({ amount: "1" });
  expect(check({ metric: "UNIQUE", amount: "", properties: { ip: "1" } })).toMatchObject({ amount: "1" });
  expect(check({ metric: "COUNT", amount: "5" })).toMatchObject({ amount: "5" });
  expect(check({ metric: "COUNT", amount: "-5" })).toMatchObject({ reason: ErrorReason.INVALID_AMOUNT });
  for (const needed of ["SUM", "MAX"]) expect(check({ metric: needed, amount: "" })).toMatchObject({ field: "amount" });
});

test("a metric of unique values needs its property, of the event's own", () => {
  const missing = { reason: ErrorReason.INVALID_FIELD, field: 'properties["ip"]' };
  expect(check({ metric: "UNIQUE" })).toMatchObject(missing);
  expect(check({ metric: "UNIQUE", properties: { ip: "" } })).toMatchObject(missing);
  expect(check({ metric: "ODD" })).toMatchObject({ field: 'properties["constructor"]' });
  expect(check({ metric: "ODD", properties: { constructor: "x" } as never })).toMatchObject({ metric: "ODD" });
});

test("time is kept to the microsecond, and judged by the tenant's clock to the millisecond", () => {
  const at = (time: string) => timestampFromDate(new Date(time));
  expect(check({})).toMatchObject({ occurredAt: "2015-05-21T00:00:00.000Z", occurredAtSent: false });
  const exact = { ...at("2015-05-20T10:00:00Z"), nanos: 123_456_789 };
  expect(check({ occurredAt: exact })).toMatchObject({
    occurredAt: "2015-05-20T10:00:00.123456Z",
    occurredAtSent: true,
  });
  const cases: [string, ErrorReason | undefined][] = [
    ["2015-05-21T00:05:00.000Z", undefined],
    ["2015-05-21T00:05:00.001Z", ErrorReason.TIME_AHEAD],
    ["2015-05-20T00:00:00.000Z", undefined],
    ["2015-05-19T23:59:59.999Z", ErrorReason.TIME_TOO_OLD],
  ];
  for (const [time, reason] of cases) {
    const checked = check({ occurredAt: at(time) });
    expect([time, "reason" in checked ? checked.reason : undefined]).toEqual([time, reason]);
  }
  expect(check({ occurredAt: at("1970-01-01T00:00:00Z") }, true)).toMatchObject({ occurredAtSent: true });
  expect(check({ occurredAt: at("1969-12-31T23:59:59.999Z") }, true)).toMatchObject({ field: "occurred_at" });
});

test("an unknown metric is answered with the nearest one, or with what to do", () => {
  expect(check({ metric: "COUTN" })).toMatchObject({ message: expect.stringContaining("did you mean COUNT?") });
  const none = checkEvent(
    create(UsageEventSchema, { metric: "X", amount: "1", customerId: "c" }),
    { ...tenant, metrics: new Map() },
    request,
  );
  expect(none).toMatchObject({ message: expect.stringContaining("push a catalog") });
});

test("each event without a key gets one of its own", () => {
  const keys = Array.from({ length: 100 }, () => check({})).map((row) => ("key" in row ? row.key : ""));
  expect(new Set(keys).size).toBe(100);
});

test("what may have been meant is looked for a few times, and not for each of a thousand mistakes", () => {
  const names = (letter: string) => Array.from({ length: 1_000 }, (_, index) => `${letter.repeat(60)}_${index}`);
  const many: TenantFacts = { ...tenant, metrics: new Map(names("A").map((name) => [name, metric("SUM")])) };
  const message = (name: string) => {
    const event = create(UsageEventSchema, { metric: name, amount: "1", customerId: "c" });
    const answer = checkEvent(event, many, request);
    return "message" in answer ? answer.message : "";
  };
  const messages = names("B").map(message);
  expect(messages.filter((text) => text.includes("did you mean")).length).toBeLessThanOrEqual(10);
  expect(messages[0]).toContain("did you mean A");
  expect(messages.at(-1)).toMatch(/^there is no metric "B+_999": this tenant has 1000 others$/);
});
