import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { TrackUsageRequestSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { catalog } from "../support/catalog.ts";
import { doors, type EventInit, TRACK_USAGE } from "../support/doors.ts";
import { setup } from "../support/harness.ts";
import { grpc, grpcGzip } from "../support/wire.ts";

// TrackUsage over gRPC has a lane of its own; compressed messages go to Connect. Nobody may be able to tell them apart.

const good: EventInit = { metric: "API_CALL", amount: "1", customerId: "c", idempotencyKey: "k" };
const times = (count: number): EventInit[] =>
  Array.from({ length: count }, (_, place) => ({ ...good, idempotencyKey: `k${place}` }));

const requests: [string, EventInit[], { backfill?: boolean }?][] = [
  ["no event", []],
  ["one", [good]],
  ["it again", [good]],
  ["it with another amount", [{ ...good, amount: "2" }]],
  [
    "it with another customer, and twice",
    [
      { ...good, customerId: "d" },
      { ...good, amount: "1.00" },
    ],
  ],
  ["a mixture", [{ ...good, metric: "X" }, { ...good, amount: "-1" }, { ...good, customerId: "" }, good]],
  ["properties", [{ ...good, idempotencyKey: "p", properties: { a: "b", ü: "😀" } }]],
  ["an old one", [{ ...good, idempotencyKey: "o", occurredAt: timestampFromDate(new Date(0)) }]],
  [
    "an old one as backfill",
    [{ ...good, idempotencyKey: "o", occurredAt: timestampFromDate(new Date(0)) }],
    { backfill: true },
  ],
  ["1,000", times(1_000)],
  ["1,001", times(1_001)],
];

test("the lane and Connect answer the same requests alike, and store the same", async () => {
  const { api, clients, clientsFor, addOrganization, tenant, ownerDb } = await setup();
  const other = await addOrganization("Other");
  const sides = [
    { send: doors.lane, key: tenant.testKey, tenantId: tenant.testId },
    { send: doors.grpc, key: other.testKey, tenantId: other.testId },
  ];
  await clients.pricing.pushCatalog({ catalog });
  await clientsFor(other.testKey).pricing.pushCatalog({ catalog });
  for (const [name, events, options] of requests) {
    const [lane, connect] = await Promise.all(
      sides.map(async ({ send, key }) => {
        const { answer, results } = (await send?.(api.url, { "x-usageflow-api-key": key }, events, options)) ?? {};
        return { ...answer, body: undefined, requestId: answer?.requestId.length, results };
      }),
    );
    expect([name, lane]).toEqual([name, connect]);
  }
  const [lane, connect] = await Promise.all(
    sides.map(({ tenantId }) =>
      ownerDb
        .selectFrom("usage_event")
        .select(["idempotency_key", "metric", "customer_id", "amount", "occurred_at", "properties"])
        .where("tenant_id", "=", tenantId)
        .orderBy("idempotency_key")
        .execute(),
    ),
  );
  expect(lane).toHaveLength(1_003);
  expect(lane).toEqual(connect);
});

test("the lane and Connect refuse alike what is no request, and who may not make one", async () => {
  const { api, tenant } = await setup();
  const request = toBinary(TrackUsageRequestSchema, create(TrackUsageRequestSchema, { events: [good] }));
  const key = { "x-usageflow-api-key": tenant.testKey };
  const cases: [string, Record<string, string>, Uint8Array][] = [
    ["garbage", key, Buffer.from([0xff, 0xff])],
    ["an empty message", key, Buffer.alloc(0)],
    ["too large", key, Buffer.alloc(5 * 1024 * 1024)],
    ["a wrong timeout", { ...key, "grpc-timeout": "soon" }, request],
    ["no key", {}, request],
    ["a mistyped key", { "x-usageflow-api-key": `${tenant.testKey}0` }, request],
    ["a bearer", { authorization: `Bearer ${tenant.testKey}` }, request],
    ["metadata that is not known", { ...key, "x-trace": "1", "user-agent": "grpc" }, request],
    ["a content type with its codec", { ...key, "content-type": "application/grpc+proto" }, request],
    ["another codec", { ...key, "content-type": "application/grpc+thrift" }, request],
  ];
  for (const [name, headers, body] of cases) {
    const [lane, connect] = await Promise.all(
      [grpc, grpcGzip].map(async (wire) => {
        const { status, code, reason, field } = await wire({ url: api.url, path: TRACK_USAGE, headers, body });
        return { status, code, reason, field };
      }),
    );
    expect([name, lane]).toEqual([name, connect]);
  }
});
