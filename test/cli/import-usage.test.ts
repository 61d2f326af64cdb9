import { expect, test } from "vitest";
import { type ImportOptions, importUsage } from "../../cli/usage/import-usage.ts";
import { readLines } from "../../cli/usage/read-lines.ts";
import { catalog } from "../support/catalog.ts";
import { setup } from "../support/harness.ts";

async function setupImport() {
  const { clients, addApp } = await setup();
  await clients.pricing.pushCatalog({ catalog });
  return {
    clients,
    addApp,
    async run(lines: readonly string[], more: Partial<ImportOptions> = {}) {
      const problems: [number, string][] = [];
      let interchangeable = 0;
      const tally = await importUsage(clients.usage, {
        lines: readLines(
          (async function* () {
            yield Buffer.from(lines.join("\n"));
          })(),
        ),
        backfill: false,
        signal: new AbortController().signal,
        onProblem: (line, problem) => problems.push([line, problem]),
        onInterchangeable: () => {
          interchangeable++;
        },
        onProgress: () => {},
        ...more,
      });
      return { tally, problems, interchangeable };
    },
  };
}

const event = (key: string, more: object = {}) =>
  JSON.stringify({ metric: "API_CALL", amount: 1, customerId: "c", idempotencyKey: key, ...more });

test("sends a file of several batches, and nothing twice when it is sent again", async () => {
  const { run } = await setupImport();
  const lines = Array.from({ length: 2_500 }, (_, at) => event(`k${at}`));
  const once = await run([...lines, lines[0] as string]);
  expect(once).toMatchObject({ tally: { accepted: 2_500, duplicate: 1, conflict: 0, rejected: 0 }, problems: [] });
  expect((await run(lines)).tally).toEqual({ accepted: 0, duplicate: 2_500, conflict: 0, rejected: 0 });
});

test("counts lines without a key once for each time that they stand there, however often they are imported", async () => {
  const { run } = await setupImport();
  const line = '{"metric":"API_CALL","amount":1,"customerId":"c"}';
  expect((await run([line, line, line])).tally).toMatchObject({ accepted: 3, duplicate: 0 });
  expect((await run([line, line, line, line])).tally).toMatchObject({ accepted: 1, duplicate: 3 });
});

test("names each line that was not stored, and takes the rest in", async () => {
  const { run } = await setupImport();
  const { tally, problems } = await run([
    event("k1"),
    "{bad",
    event("k2", { metric: "API_CALLS" }),
    "",
    event("k1", { amount: 2 }),
    event("k3", { occurredAt: "2015-01-01T00:00:00Z" }),
    event("k4"),
    "[]",
  ]);
  expect(tally).toEqual({ accepted: 2, duplicate: 0, conflict: 1, rejected: 4 });
  expect(problems).toEqual([
    [2, expect.stringMatching(/^is not JSON/)],
    [3, expect.stringMatching(/^metric: .*API_CALL.* \(UNKNOWN_METRIC\)$/)],
    [5, expect.stringMatching(/^conflict: amount: .* \(IDEMPOTENCY_CONFLICT\)$/)],
    [6, expect.stringMatching(/^occurredAt: .* \(TIME_TOO_OLD\)$/)],
    [8, "is not a JSON object"],
  ]);
});

test("tells problems in the order of their lines, over all batches", async () => {
  const { run } = await setupImport();
  const bad = [event("k", { metric: "API_CALLS" }), "{bad"];
  const { tally, problems } = await run(Array.from({ length: 4_200 }, (_, at) => bad[at % 2] as string));
  expect(tally).toMatchObject({ rejected: 4_200 });
  expect(problems.map(([line]) => line)).toEqual(Array.from({ length: 4_200 }, (_, at) => at + 1));
});

test("counts lines that name neither the event nor its time", async () => {
  const { run } = await setupImport();
  const nameless = { metric: "API_CALL", amount: 1, customerId: "c" };
  const dated = { ...nameless, occurredAt: "2015-05-20T00:00:00Z" };
  expect(await run([nameless, nameless, dated].map((one) => JSON.stringify(one)))).toMatchObject({
    interchangeable: 2,
  });
  expect(await run([event("k")])).toMatchObject({ interchangeable: 0 });
});

test("takes old events in when it is a backfill", async () => {
  const { run } = await setupImport();
  const old = event("k", { occurredAt: "2015-01-01T00:00:00Z" });
  expect((await run([old], { backfill: true })).tally).toMatchObject({ accepted: 1 });
});

test("ends when it is stopped", async () => {
  const { run } = await setupImport();
  await expect(run([event("k")], { signal: AbortSignal.abort() })).rejects.toThrow();
});
