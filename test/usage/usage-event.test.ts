import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { UsageEvent } from "../../gen/usageflow/v1/usage_pb.ts";
import type { Clients } from "../support/clients.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";
import { usageCatalog } from "../support/usage-catalog.ts";

const MAY = BigInt(Date.UTC(2015, 4, 1)) / 1_000n;
const at = (second: number, microsecond = 0) => ({ seconds: MAY + BigInt(second), nanos: microsecond * 1_000 });

const send = (
  idempotencyKey: string,
  second: number,
  { metric = "SUM", customerId = "ann", microsecond = 0 } = {},
) => ({
  metric,
  customerId,
  idempotencyKey,
  amount: "1.50",
  occurredAt: at(second, microsecond),
});

type Filter = Parameters<Clients["usage"]["listUsageEvents"]>[0];

async function keys(clients: Clients, filter: Filter = {}): Promise<string[]> {
  const found: string[] = [];
  let pageToken = "";
  do {
    const page = await clients.usage.listUsageEvents({ ...filter, pageToken });
    found.push(...page.usageEvents.map((event) => event.idempotencyKey));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

describe("listUsageEvents", () => {
  test("shows events as they were stored, to the microsecond, counted or not", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const properties = { user: "x", region: "eu" };
    await clients.usage.trackUsage({
      events: [{ ...send("a b|ü", 7, { microsecond: 123_456 }), metric: "UNIQUE", properties }],
    });
    const { usageEvents } = await clients.usage.listUsageEvents({});
    expect(usageEvents).toMatchObject([
      {
        metric: "UNIQUE",
        amount: "1.5",
        customerId: "ann",
        idempotencyKey: "a b|ü",
        occurredAt: at(7, 123_456),
        properties,
      } satisfies Partial<Record<keyof UsageEvent, unknown>>,
    ]);
  });

  test("agrees with a plain filter and sort, whatever is asked and however it is paged", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    const events = Array.from({ length: 60 }, (_, i) =>
      // Many at the same time, and some a microsecond apart.
      send(`key ${i}`, (i * 7) % 5, {
        metric: ["SUM", "COUNT", "MAX"][i % 3] as string,
        customerId: ["ann", "bob"][i % 2] as string,
        microsecond: i % 4 === 0 ? i % 8 : 0,
      }),
    );
    await clients.usage.trackUsage({ events });
    const sorted = events.toSorted((a, b) => {
      const [early, late] = [a, b].map(
        ({ occurredAt: { seconds, nanos } }) => seconds * 1_000_000_000n + BigInt(nanos),
      );
      if (early !== late) return (early as bigint) < (late as bigint) ? 1 : -1;
      return a.idempotencyKey < b.idempotencyKey ? 1 : -1;
    });
    const filter = fc.record(
      {
        customerId: fc.constantFrom("ann", "bob", "nobody"),
        metric: fc.constantFrom("SUM", "COUNT", "MAX", "UNIQUE", "NONE"),
        start: fc.nat({ max: 2 }).map((second) => at(second, 4)),
        end: fc.integer({ min: 3, max: 5 }).map((second) => at(second)),
        idempotencyKey: fc.constantFrom("key 6", "key 7", "key"),
        pageSize: fc.integer({ min: 1, max: 25 }),
      },
      { requiredKeys: ["pageSize"] },
    );
    const earlier = (a: { seconds: bigint; nanos: number }, b: { seconds: bigint; nanos: number }) =>
      a.seconds < b.seconds || (a.seconds === b.seconds && a.nanos < b.nanos);
    await fc.assert(
      fc.asyncProperty(filter, async (asked) => {
        const expected = sorted.filter(
          (event) =>
            (!asked.customerId || event.customerId === asked.customerId) &&
            (!asked.metric || event.metric === asked.metric) &&
            (!asked.idempotencyKey || event.idempotencyKey === asked.idempotencyKey) &&
            !(asked.start && earlier(event.occurredAt, asked.start)) &&
            !(asked.end && !earlier(event.occurredAt, asked.end)),
        );
        expect(await keys(clients, asked)).toEqual(expected.map((event) => event.idempotencyKey));
      }),
      { numRuns: 60 },
    );
  });

  test("pages hold still while events are stored: none twice, none of the old ones left out", async () => {
    const { clients } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    await clients.usage.trackUsage({ events: Array.from({ length: 20 }, (_, i) => send(`old ${i}`, i)) });
    const seen: string[] = [];
    let pageToken = "";
    for (let pages = 0; pages === 0 || pageToken; pages++) {
      const page = await clients.usage.listUsageEvents({ pageSize: 3, pageToken });
      seen.push(...page.usageEvents.map((event) => event.idempotencyKey));
      pageToken = page.nextPageToken;
      await clients.usage.trackUsage({ events: [send(`newer ${pages}`, 100 + pages), send(`older ${pages}`, -pages)] });
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((key) => key.startsWith("old "))).toEqual(Array.from({ length: 20 }, (_, i) => `old ${19 - i}`));
    expect(seen.filter((key) => key.startsWith("newer "))).toEqual([]);
  });

  test("refuses a range that ends before it starts, and hides other tenants' events", async () => {
    const { clients, clientsFor, addOrganization } = await setup();
    await clients.pricing.pushCatalog({ catalog: usageCatalog });
    await clients.usage.trackUsage({ events: [send("a", 0), send("b", 1)] });
    const backwards = clients.usage.listUsageEvents({ start: at(1, 1), end: at(1) });
    expect(await refused(backwards)).toMatchObject({ reason: ErrorReason.INVALID_FIELD, field: "end" });
    expect(await keys(clients, { start: at(1), end: at(1) })).toEqual([]);

    const stranger = clientsFor((await addOrganization("Other")).testKey);
    await stranger.pricing.pushCatalog({ catalog: usageCatalog });
    expect(await keys(stranger)).toEqual([]);
    expect(await keys(stranger, { idempotencyKey: "a" })).toEqual([]);
    const { nextPageToken } = await clients.usage.listUsageEvents({ pageSize: 1 });
    const carried = stranger.usage.listUsageEvents({ pageToken: nextPageToken });
    expect(await refused(carried)).toMatchObject({ reason: ErrorReason.PAGE_TOKEN_INVALID });
  });
});
