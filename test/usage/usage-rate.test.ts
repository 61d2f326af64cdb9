import { timestampDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";

const MINUTE_MS = 60_000;

async function start() {
  const harness = await setup();
  const { clients, clock } = harness;
  await clients.pricing.pushCatalog({ catalog });
  clock.advance(MINUTE_MS - (clock.now().getTime() % MINUTE_MS)); // a minute begins
  const track = (keys: readonly string[], of = clients) =>
    of.usage.trackUsage({
      events: keys.map((idempotencyKey) => ({ metric: "API_CALL", amount: "5", customerId: "ann", idempotencyKey })),
    });
  /** What came in, by how many minutes ago it was. */
  const rate = async (of = clients) => {
    const { at, minutes, ...rest } = await of.usage.getUsageRate({});
    expect(at && timestampDate(at)).toEqual(clock.now());
    const first = clock.now().getTime() - (clock.now().getTime() % MINUTE_MS) - 59 * MINUTE_MS;
    expect(minutes.map(({ start }) => start && timestampDate(start).getTime())).toEqual(
      Array.from({ length: 60 }, (_, place) => first + place * MINUTE_MS),
    );
    const counts = minutes.map(({ eventCount }, place) => [59 - place, eventCount] as const);
    return { ...rest, counts: Object.fromEntries(counts.filter(([, count]) => count > 0n)) };
  };
  return { ...harness, track, rate };
}

test("the rate is of events as they were accepted, by the minute, and of each tenant's alone", async () => {
  const { clock, track, rate, drain, addOrganization, clientsFor } = await start();
  const other = clientsFor((await addOrganization("Other")).testKey);
  await other.pricing.pushCatalog({ catalog });
  await track(["a", "b", "a"]);
  await track(["a", "c"]);
  await track(["z"], other);
  clock.advance(2 * MINUTE_MS + 1);
  await track(["d"]);
  await drain();
  expect(await rate()).toMatchObject({ counts: { 2: 3n, 0: 1n }, pendingEventCount: 0n });
  expect(await rate(other)).toMatchObject({ counts: { 2: 1n } });
});

test("what waits to be counted is told apart, with the time since when it waits", async () => {
  const { clock, clients, track, rate, drain } = await start();
  await track(["a"]);
  await drain();
  const since = clock.now();
  await track(["b", "c"]);
  clock.advance(3 * MINUTE_MS);
  await track(["d"]);
  const { progress, ...waiting } = await rate();
  expect(waiting).toMatchObject({ counts: { 3: 1n }, pendingEventCount: 3n });
  expect(progress).toMatchObject({ foldNumber: 1n, pendingBatches: 2n });
  expect(progress?.completeUntil && timestampDate(progress.completeUntil)).toEqual(since);
  // Taking back is no usage.
  await clients.usage.voidUsage({ idempotencyKeys: ["a"], reason: "x" });
  expect(await rate()).toMatchObject({ pendingEventCount: 3n });
  await drain();
  const done = await rate();
  expect(done).toMatchObject({ counts: { 3: 3n, 0: 1n }, pendingEventCount: 0n });
  expect(done.progress?.completeUntil).toBeUndefined();
});

test("after an hour a minute is not shown, and after two it is gone, also when counting was behind", async () => {
  const { clock, ownerDb, track, rate, drain } = await start();
  await track(["a"]);
  await drain();
  clock.advance(59 * MINUTE_MS);
  expect((await rate()).counts).toEqual({ 59: 1n });
  clock.advance(MINUTE_MS);
  expect((await rate()).counts).toEqual({});
  await track(["late"]);
  clock.advance(121 * MINUTE_MS);
  await track(["b"]);
  await drain();
  expect((await rate()).counts).toEqual({ 0: 1n });
  expect(await ownerDb.selectFrom("usage_minute").select("event_count").execute()).toEqual([{ event_count: 1n }]);
});
