import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CliError } from "../../cli/cli-error.ts";
import { bar } from "../../cli/output/bar.ts";
import { parseFilters } from "../../cli/usage/dimension-filter.ts";
import { setup } from "../support/harness.ts";
import { shapedCatalog, toEvent } from "../support/shaped-usage.ts";
import { usageCatalog } from "../support/usage-catalog.ts";
import { createHere } from "./run-here.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z.

test.each([
  [0, ""],
  [0.0001, "▏"],
  [0.25, "██"],
  [0.55, "████▍"],
  [1, "████████"],
  [2, "████████"],
])("the bar of %d of 8 characters is %j", (share, text) => {
  expect(bar(share, 8)).toBe(text);
});

test("a longer bar is never less", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, (a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)];
      expect(bar(less, 10).length).toBeLessThanOrEqual(bar(more, 10).length);
      expect(bar(more, 10).length).toBeLessThanOrEqual(10);
    }),
  );
});

test("usage is shown, listed and explained, and what is on no bill too", { timeout: 60_000 }, async () => {
  const { run } = await createHere();
  const { api, tenant, clients, drain, advanceTo } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const text = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(["usage", ...args], { env });
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  const json = async (...args: string[]) => JSON.parse(await text(...args, "--json"));
  await clients.pricing.pushCatalog({ catalog: usageCatalog });
  await clients.pricing.startSubscription({ customerId: "ann", plan: "pro" });
  const send = (key: string, time: string, customerId: string) => ({
    metric: "SUM",
    amount: "2.50",
    customerId,
    idempotencyKey: key,
    occurredAt: timestampFromDate(new Date(time)),
  });
  const events = [send("a", "2015-05-01T10:20:30Z", "ann"), send("b", "2015-05-02T00:00:00Z", "bob")];
  await clients.usage.trackUsage({ events });

  const waiting = await run(["usage", "show", "SUM"], { env });
  expect(waiting.stderr).toBe("Not all is counted yet: 1 commit of events to go.\n");
  await drain();

  expect(await text("show", "SUM", "--to", "2015-05-04")).toBe(`\
FROM              QUANTITY  EVENTS
2015-05-01 00:00       2.5       1
2015-05-02 00:00       2.5       1
2015-05-03 00:00         0       0
Total                    5       2
`);
  const month = await json("show", "SUM", "--customer", "bob", "--by", "month");
  expect(month).toEqual({
    points: [{ start: "2015-05-01T00:00:00Z", end: "2015-05-21T01:00:00Z", quantity: "2.5", eventCount: "1" }],
    total: { start: "2015-05-01T00:00:00Z", end: "2015-05-21T01:00:00Z", quantity: "2.5", eventCount: "1" },
    progress: { foldNumber: "1", pendingBatches: "0" },
    groups: [],
  });

  expect(await text("events")).toBe(`\
OCCURRED             METRIC  AMOUNT  CUSTOMER  KEY
2015-05-02 00:00     SUM        2.5  bob       b
2015-05-01 10:20:30  SUM        2.5  ann       a
`);
  expect((await json("events", "--customer", "ann")).usageEvents).toMatchObject([{ idempotencyKey: "a" }]);
  expect((await json("events", "--key", "b", "--from", "2015-05-03")).usageEvents).toEqual([]);

  await advanceTo("2015-06-02T00:00:00Z");
  expect(await text("explain", "a")).toBe(`\
Event     a
Usage     2.5 of SUM by ann
Occurred  2015-05-01 10:20:30 UTC
Counted   in the hour of 2015-05-01 10:00, by fold 1
State     billed

PLAN            PRICE  PERIOD            STATE   INVOICE
pro, version 1  sum    2015-05-01 00:00  billed  INV-000001
`);
  expect(await json("explain", "b")).toMatchObject({
    state: "USAGE_STATE_UNBILLED",
    unbilledReason: "UNBILLED_REASON_NO_SUBSCRIPTION",
    billings: [],
  });

  await clients.usage.trackUsage({ events: [send("late", "2015-05-01T10:59:59Z", "ann")] });
  await drain();
  expect(await text("explain", "late")).toMatch(/State {5}open\n/);
  expect(await text("unbilled")).toBe(`\
CUSTOMER  METRIC  MONTH    REASON           QUANTITY  EVENTS
bob       SUM     2015-05  no subscription       2.5       1
`);
  await clients.invoice.voidInvoice({ id: "INV-000001", reason: "a mistake" });
  expect(await text("unbilled")).toBe(`\
CUSTOMER  METRIC  MONTH    REASON           QUANTITY  EVENTS
ann       SUM     2015-05  late                    5       2
bob       SUM     2015-05  no subscription       2.5       1
`);
  expect(await text("explain", "late")).toMatch(/State {5}unbilled: late\n/);
  const limited = await run(["usage", "unbilled", "--limit", "1", "--json"], { env });
  expect(JSON.parse(limited.stdout).unbilledUsage).toMatchObject([{ customerId: "ann" }]);
  expect(await run(["usage", "explain", "none"], { env })).toMatchObject({ code: 4 });
});

test("usage is voided by keys and by a file of keys, and shown as that", { timeout: 60_000 }, async () => {
  const { run, folder } = await createHere();
  const { api, tenant, clients, drain } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  await clients.pricing.pushCatalog({ catalog: usageCatalog });
  const events = ["a", "b", "c d"].map((idempotencyKey) => ({
    metric: "SUM",
    amount: "1",
    customerId: "ann",
    idempotencyKey,
    occurredAt: timestampFromDate(new Date("2015-05-20T00:00:00Z")),
  }));
  await clients.usage.trackUsage({ events });
  const file = join(folder, "keys.txt");
  await writeFile(file, "b\r\nnone\n\nc d");
  expect(await run(["usage", "void", "a", "--reason", "a test"], { env })).toMatchObject({
    code: 0,
    stdout: "KEY  OUTCOME\na    voided\n",
  });
  expect(await run(["usage", "void", "a", "--file", file, "--reason", "a test"], { env })).toEqual({
    code: 4,
    stdout: "KEY   OUTCOME\na     already voided\nb     voided\nnone  not found\nc d   voided\n",
    stderr: "1 key not found.\n",
  });
  await drain();
  expect((await run(["usage", "events"], { env })).stdout).toBe(`\
OCCURRED          METRIC  AMOUNT  CUSTOMER  KEY  VOIDED
2015-05-20 00:00  SUM          1  ann       c d  2015-05-21 00:00
2015-05-20 00:00  SUM          1  ann       b    2015-05-21 00:00
2015-05-20 00:00  SUM          1  ann       a    2015-05-21 00:00
`);
  const { stdout } = await run(["usage", "events", "--key", "a", "--json"], { env });
  expect(JSON.parse(stdout)).toMatchObject({ usageEvents: [{}], voids: [{ idempotencyKey: "a", reason: "a test" }] });
  expect((await run(["usage", "explain", "a"], { env })).stdout).toMatch(
    /State {5}unbilled: voided\nVoided {4}2015-05-21 00:00 UTC, by key_\w+: a test\n/,
  );
  expect(await run(["usage", "void", "--reason", "a test"], { env })).toMatchObject({ code: 2 });
  expect(await run(["usage", "void", "a"], { env })).toMatchObject({ code: 2 });
});

test("usage is shown by dimension", { timeout: 60_000 }, async () => {
  const { run } = await createHere();
  const { api, tenant, clients, drain } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const show = (...args: string[]) =>
    run(["usage", "show", "SUM", "--from", "2015-05-19", "--to", "2015-05-21", ...args], { env });
  await clients.pricing.pushCatalog({ catalog: shapedCatalog });
  const reports: [string, number, Record<string, string>][] = [
    ["1", 19, { region: "eu", model: "a" }],
    ["2", 20, { region: "us", model: "a" }],
    ["4", 20, { region: "eu", model: "b" }],
    ["8", 20, { model: "a" }],
  ];
  await clients.usage.trackUsage({
    events: reports.map(([amount, day, properties], i) =>
      toEvent({ key: `${i}`, metric: "SUM", customerId: "ann", amount, at: Date.UTC(2015, 4, day), properties }),
    ),
  });
  await drain();

  expect(await show("--group-by", "region", "--filter", "model=a")).toEqual({
    code: 0,
    stderr: "",
    stdout: `\
region  FROM              QUANTITY  EVENTS
        2015-05-19 00:00         0       0
        2015-05-20 00:00         8       1
        Total                    8       1
eu      2015-05-19 00:00         1       1
eu      2015-05-20 00:00         0       0
eu      Total                    1       1
us      2015-05-19 00:00         0       0
us      2015-05-20 00:00         2       1
us      Total                    2       1
        Total                   11       3
`,
  });
  const unknown = await show("--filter", "zone=eu");
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("which declares region, model")]);
});

describe("filters as they are written", () => {
  const written = (...texts: string[]) => parseFilters(texts).map(({ property, test }) => [property, test]);

  test("are one value, one of several, one at all, or none", () => {
    const isIn = (...values: string[]) => ({ case: "in", value: expect.objectContaining({ values }) });
    expect(written("region=eu", "model", "region=us", "region=eu", "!tier", "zone=", "plan=a=b")).toEqual([
      ["region", isIn("eu", "us")],
      ["model", { case: "exists", value: true }],
      ["tier", { case: "exists", value: false }],
      ["zone", isIn("")],
      ["plan", isIn("a=b")],
    ]);
  });

  test.each([["=eu"], ["!region=eu"], [""], ["!"], ["region", "region=eu"], ["!region", "region"]])(
    "are refused like %j",
    (...texts) => {
      expect(() => parseFilters(texts)).toThrow(CliError);
    },
  );
});

test("usage is shown by the days of a time zone", { timeout: 60_000 }, async () => {
  const { run } = await createHere();
  const { api, tenant, clients, drain } = await setup();
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  await clients.pricing.pushCatalog({ catalog: usageCatalog });
  const times = ["2015-05-01T03:59:59Z", "2015-05-01T04:00:00Z", "2015-05-02T03:59:59Z"];
  await clients.usage.trackUsage({
    events: times.map((time) => ({
      metric: "SUM",
      amount: "2.5",
      customerId: "ann",
      occurredAt: timestampFromDate(new Date(time)),
    })),
  });
  await drain();
  const show = (...args: string[]) =>
    run(["usage", "show", "SUM", "--to", "2015-05-03", "--time-zone", ...args], { env });
  expect((await show("America/New_York")).stdout).toBe(`\
FROM              QUANTITY  EVENTS
2015-05-01 00:00         5       2
2015-05-02 00:00         0       0
Total                    5       2
`);
  expect(await show("Nowhere")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"Nowhere" is no time zone'),
  });
});
