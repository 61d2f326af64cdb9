import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { Subscription } from "../../gen/usageflow/v1/pricing_pb.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";
import { refused } from "../support/refused.ts";

// The tenant's clock stands at 2015-05-21T00:00:00Z; the grace period is an hour.

const at = (time: string) => timestampFromDate(new Date(time));

function spanOf(subscription: Subscription | undefined): string[] {
  const { startedAt, periodStart, periodEnd, endsAt } = subscription as Subscription;
  return [startedAt, periodStart, periodEnd, endsAt].map((time) => (time ? timestampDate(time).toISOString() : "-"));
}

async function priced() {
  const harness = await setup();
  await harness.clients.pricing.pushCatalog({ catalog });
  const start = async (customerId: string, startAt?: string) => {
    const request = { customerId, plan: "pro", ...(startAt ? { startAt: at(startAt) } : {}) };
    return (await harness.clients.pricing.startSubscription(request)).subscription as Subscription;
  };
  return { ...harness, start };
}

describe("startSubscription", () => {
  test("begins with the present calendar period, and registers the customer", async () => {
    const { clients, start } = await priced();
    const subscription = await start("ann");
    expect(subscription).toMatchObject({ customerId: "ann", plan: "pro", planVersion: 1 });
    expect(spanOf(subscription)).toEqual([
      "2015-05-01T00:00:00.000Z",
      "2015-05-01T00:00:00.000Z",
      "2015-06-01T00:00:00.000Z",
      "-",
    ]);
    expect((await clients.tenant.getCustomer({ id: "ann" })).customer).toMatchObject({ id: "ann" });
    expect((await clients.pricing.getSubscription({ id: subscription.id })).subscription).toEqual(subscription);
  });

  test("may begin with any second of a period that is not closed, also one to come", async () => {
    const { start } = await priced();
    expect(spanOf(await start("ann", "2015-05-10T07:00:00Z"))).toEqual([
      "2015-05-10T07:00:00.000Z",
      "2015-05-10T07:00:00.000Z",
      "2015-06-01T00:00:00.000Z",
      "-",
    ]);
    expect(spanOf(await start("bob", "2016-02-29T23:00:01Z")).slice(1, 3)).toEqual([
      "2016-02-29T23:00:01.000Z",
      "2016-03-01T00:00:00.000Z",
    ]);
  });

  test("may begin in the last period while its grace period runs", async () => {
    const { start, advanceTo } = await priced();
    await advanceTo("2015-06-01T00:59:59Z");
    expect(spanOf(await start("ann", "2015-05-31T23:00:00Z"))[1]).toBe("2015-05-31T23:00:00.000Z");
    await advanceTo("2015-06-01T01:00:00Z");
    expect(await refused(start("bob", "2015-05-31T23:00:00Z"))).toMatchObject({ field: "start_at" });
  });

  test.each([
    ["in a closed period", "2015-04-30T23:00:00Z"],
    ["not on the second", "2015-05-10T07:00:00.001Z"],
    ["before the epoch", "1960-01-01T00:00:00Z"],
    ["whose period no timestamp can end", "9999-12-01T00:00:00Z"],
  ])("refuses a start %s", async (_, startAt) => {
    const { start } = await priced();
    expect(await refused(start("ann", startAt))).toEqual({
      code: Code.InvalidArgument,
      reason: ErrorReason.INVALID_FIELD,
      field: "start_at",
    });
  });

  test("takes the latest version of the plan", async () => {
    const { clients, start } = await priced();
    const [plan] = catalog.plans;
    if (!plan) throw new Error("a catalog without a plan");
    await clients.pricing.pushCatalog({ catalog: { plans: [{ ...plan, name: "Pro 2" }] } });
    expect(await start("ann")).toMatchObject({ planVersion: 2 });
  });

  test("refuses a second one to the same plan with already-exists", async () => {
    const { start } = await priced();
    await start("ann");
    expect(await refused(start("ann"))).toMatchObject({ code: Code.AlreadyExists });
  });

  test("refuses a plan that there is not with not-found, and leaves no customer behind", async () => {
    const { clients } = await priced();
    const call = clients.pricing.startSubscription({ customerId: "zed", plan: "nope" });
    expect(await refused(call)).toMatchObject({ code: Code.NotFound });
    expect(await refused(clients.tenant.getCustomer({ id: "zed" }))).toMatchObject({ code: Code.NotFound });
  });

  test("lets one of many at once through", async () => {
    const { clients, start } = await priced();
    const calls = await Promise.all(Array.from({ length: 8 }, () => refused(start("ann"))));
    expect(calls.filter((call) => call === undefined)).toHaveLength(1);
    expect((await clients.pricing.listSubscriptions({})).subscriptions).toHaveLength(1);
  });

  test("answers a repeated idempotency key with the first answer, and refuses it for another request", async () => {
    const { clients } = await priced();
    const headers = { "idempotency-key": "k1" };
    const send = (customerId: string) => clients.pricing.startSubscription({ customerId, plan: "pro" }, { headers });
    const first = await send("ann");
    expect(await send("ann")).toEqual(first);
    expect(await refused(send("bob"))).toMatchObject({ reason: ErrorReason.IDEMPOTENCY_CONFLICT });
    expect((await clients.pricing.listSubscriptions({})).subscriptions).toHaveLength(1);
  });
});

describe("endSubscription", () => {
  test("ends with the open period, and ending again changes nothing", async () => {
    const { clients, start, advanceTo } = await priced();
    const { id } = await start("ann");
    const end = async () => spanOf((await clients.pricing.endSubscription({ id })).subscription);
    const ended = [
      "2015-05-01T00:00:00.000Z",
      "2015-05-01T00:00:00.000Z",
      "2015-06-01T00:00:00.000Z",
      "2015-06-01T00:00:00.000Z",
    ];
    expect([await end(), await end()]).toEqual([ended, ended]);
    await advanceTo("2015-08-01T00:00:00Z");
    const over = [ended[0], "2015-06-01T00:00:00.000Z", "2015-06-01T00:00:00.000Z", "2015-06-01T00:00:00.000Z"];
    expect(await end()).toEqual(over);
    expect((await clients.invoice.listInvoices({})).invoices).toHaveLength(1);
    await start("ann"); // the plan is free again
  });

  test("goes by the clock where the workers are behind", async () => {
    const { clients, start, ownerDb, tenant } = await priced();
    const { id } = await start("ann");
    const clock = { clock_frozen_at: new Date("2015-07-03T00:00:00Z") };
    await ownerDb.updateTable("tenant").set(clock).where("tenant_id", "=", tenant.testId).execute();
    expect(spanOf((await clients.pricing.endSubscription({ id })).subscription)[3]).toBe("2015-08-01T00:00:00.000Z");
  });

  test("of one that has not begun ends with its first period", async () => {
    const { clients, start } = await priced();
    const { id } = await start("ann", "2015-09-05T00:00:00Z");
    expect(spanOf((await clients.pricing.endSubscription({ id })).subscription)[3]).toBe("2015-10-01T00:00:00.000Z");
  });
});

describe("subscriptions", () => {
  test("are listed oldest first, page by page, of all customers or one", async () => {
    const { clients, start } = await priced();
    const ids: string[] = [];
    for (const customer of ["eve", "dan", "cat", "bob", "ann"]) ids.push((await start(customer)).id);
    const seen: string[] = [];
    for (let pageToken = "", pages = 0; pages === 0 || pageToken; pages++) {
      const page = await clients.pricing.listSubscriptions({ pageSize: 2, pageToken });
      seen.push(...page.subscriptions.map((subscription) => subscription.id));
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual(ids);
    const { subscriptions } = await clients.pricing.listSubscriptions({ customerId: "cat" });
    expect(subscriptions.map(({ id }) => id)).toEqual([ids[2]]);
  });

  test("of another tenant are not found, and neither is what is none", async () => {
    const { start, clientsFor, addOrganization, clients } = await priced();
    const { id } = await start("ann");
    const stranger = clientsFor((await addOrganization("Other")).testKey);
    const unknown = `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`;
    const calls = [
      stranger.pricing.getSubscription({ id }),
      stranger.pricing.endSubscription({ id }),
      clients.pricing.getSubscription({ id: unknown }),
      clients.pricing.getSubscription({ id: "sub_zzzzzzzzzzzzzzzzzzzzzz" }),
    ].map(refused);
    for (const answer of await Promise.all(calls)) {
      expect(answer).toMatchObject({ code: Code.NotFound, reason: ErrorReason.NOT_FOUND });
    }
    expect((await stranger.pricing.listSubscriptions({})).subscriptions).toEqual([]);
  });
});
