import { spawn } from "node:child_process";
import { watch } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { findSnapshot } from "../../cli/emulator/snapshot.ts";
import { createClients } from "../support/clients.ts";
import { ended } from "../support/usageflow.ts";
import { createPlace, type RunningEmulator } from "./run-cli.ts";

const SNAPSHOT = new URL("../../dist/cli/emulator/snapshot.js", import.meta.url).href;
const SAVE =
  "const [module, ...folders] = process.argv.slice(1); import(module).then((m) => m.saveSnapshot(...folders))";

type Ready = RunningEmulator["ready"];

const clientsOf = ({ url, apiKey }: Ready) => createClients(url, apiKey);
const put = (ready: Ready, id: string) => clientsOf(ready).tenant.putCustomer({ customer: { id } });
const idsOf = async (ready: Ready) => (await clientsOf(ready).tenant.listCustomers({})).customers.map(({ id }) => id);
const clockOf = async (ready: Ready) => {
  const { tenant } = await clientsOf(ready).tenant.getTenant({});
  return tenant?.clock?.now && timestampDate(tenant.clock.now).toISOString();
};

test("a snapshot is gone back to, survives the emulator, and begins another one", async () => {
  const place = await createPlace();
  const { folder, run, startEmulator } = place;
  const first = await startEmulator("--clock", "2015-05-21", "--export-on-exit", "./at-the-end");
  await put(first.ready, "ann");
  expect(await run(["emulator", "snapshot", "save", "one", "--json"])).toEqual({
    code: 0,
    stdout: `${JSON.stringify({ folder: join(folder, "state/snapshots/one") })}\n`,
    stderr: "",
  });
  await put(first.ready, "bob");
  await run(["clock", "advance", "--by", "2d"]);
  expect((await run(["emulator", "snapshot", "load", "one"])).stderr).toBe("");
  expect(await idsOf(first.ready)).toEqual(["ann"]);
  expect(await clockOf(first.ready)).toBe("2015-05-21T00:00:00.000Z");
  expect(await run(["emulator", "snapshot", "load", "none"])).toMatchObject({ code: 4 });
  expect(await run(["emulator", "snapshot", "save", "."])).toMatchObject({ code: 5 }); // holds something else
  const wrong = await Promise.all(["/proc/x", "/dev/null/x"].map((at) => run(["emulator", "snapshot", "save", at])));
  expect(wrong).toEqual([
    { code: 1, stdout: "", stderr: "Error: /proc/x: no folder can be made there\nName another place.\n" },
    {
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("Error: /dev/null/x: is no folder, or lies below a file\n"),
    },
  ]);
  await put(first.ready, "cid");
  expect(await run(["emulator", "stop"])).toMatchObject({ code: 0 });
  expect(await first.stop("SIGTERM")).toBe(0);

  const second = await startEmulator("--import", "./at-the-end");
  await run(["clock", "advance", "--by", "1d"]);
  expect(second.ready).toMatchObject({ apiKey: first.ready.apiKey, webhookSecret: first.ready.webhookSecret });
  expect(await idsOf(second.ready)).toEqual(["ann", "cid"]);
  expect(await run(["emulator", "reset"])).toMatchObject({ code: 0 });
  expect(await idsOf(second.ready)).toEqual(["ann", "cid"]); // as it was when it was started
  expect(await clockOf(second.ready)).toBe("2015-05-21T00:00:00.000Z");
});

test("whoever is killed while saving leaves the snapshot before, or the new one, whole", async () => {
  const { folder } = await createPlace();
  const [data, snapshot] = [join(folder, "data"), join(folder, "snapshot")];
  await mkdir(join(data, "postgres"), { recursive: true });
  /** A data folder of many files, all of which say which one it is. */
  const write = async (mark: string) => {
    const files = Array.from({ length: 200 }, (_, at) => join(data, "postgres", String(at)));
    await Promise.all([...files, join(data, "usageflow.json")].map((file) => writeFile(file, mark)));
  };
  const marksOf = async (found: string) => {
    const names = (await readdir(join(found, "postgres"))).map((name) => join("postgres", name));
    return Promise.all([...names, "usageflow.json"].map((name) => readFile(join(found, name), "utf8")));
  };
  const save = () => spawn(process.execPath, ["-e", SAVE, SNAPSHOT, data, snapshot], { stdio: "inherit" });
  await write("0");
  expect(await ended(save())).toBe(0);
  let current = "0";
  const ends = new Set<unknown>();
  for (let point = 1; point <= 8; point++) {
    await write(String(point));
    let seen = 0;
    const child = save();
    const watcher = watch(snapshot, () => ++seen === point && child.kill("SIGKILL")); // at this change of the folder
    ends.add(await ended(child));
    watcher.close();
    const marks = await marksOf(await findSnapshot(snapshot));
    expect(marks).toEqual(Array(201).fill(marks[0]));
    expect([current, String(point)]).toContain(marks[0]);
    current = marks[0] as string;
  }
  expect([...ends]).toContain(null); // some were killed
  expect(await ended(save())).toBe(0);
  expect((await readdir(snapshot)).map((name) => name.replace(/-.*/, "")).toSorted()).toEqual([
    "data",
    "snapshot.json",
  ]);
});

test("a seed is sown, again after a reset, and its errors are told with their lines", async () => {
  const place = await createPlace();
  const { folder, run, startEmulator } = place;
  const file = join(folder, "seed.yaml");
  const seed = `catalog:
  metrics: [{ key: API_CALL, aggregation: SUM }]
  plans: [{ key: pro, currency: USD, period: MONTHLY, prices: [{ key: base, flat: { amount: "20.00" } }] }]
customers:
  - { id: ann, name: Ann }
subscriptions:
  - { customerId: ann, plan: pro, startAt: 2015-05-01 }
usage:
  - { customerId: ann, metric: API_CALL, amount: 1.50, occurredAt: 2015-03-20T10:00:00Z, properties: { region: eu } }
`;
  await writeFile(file, seed);
  const { ready } = await startEmulator("--clock", "2015-05-21", "--seed", file);
  const events = async () => (await clientsOf(ready).usage.listUsageEvents({})).usageEvents;
  const occurredAt = timestampFromDate(new Date("2015-03-20T10:00:00Z"));
  const sown = [{ customerId: "ann", amount: "1.5", occurredAt, properties: { region: "eu" } }];
  expect(await events()).toMatchObject(sown);
  expect(await run(["emulator", "seed", file])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^Error: .*seed\.yaml:7:\d+: subscriptions\[0\].*: .*\n/),
  });
  await writeFile(file, 'usage: [{ customerId: bob, metric: API_CALL, amount: "7", idempotencyKey: a }]');
  expect(await run(["emulator", "seed", file, "--json"])).toEqual({
    code: 0,
    stdout: '{"customers":0,"subscriptions":0,"usage":1}\n',
    stderr: "",
  });
  expect(await run(["emulator", "reset"])).toMatchObject({ code: 0 });
  expect(await events()).toMatchObject(sown);

  const refused = async (input: string) => (await run(["emulator", "seed", "-"], { input })).stderr;
  expect(await refused("customer: []")).toBe(
    "Error: -:1:1: customer: there is no such field; allowed here: catalog, customers, subscriptions, usage\n",
  );
  expect(await refused("usage:\n  - { customerId: a, metric: NONE, amount: 1 }")).toMatch(
    /^Error: -:2:\d+: usage\[0\].metric: /,
  );
  expect(await refused("subscriptions:\n  - { customerId: a, plan: pro, startAt: soon }")).toMatch(
    /^Error: -:2:\d+: .*"soon" is no time/,
  );
});
