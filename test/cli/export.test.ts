import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { setup } from "../support/harness.ts";
import { monthCatalog } from "../support/month.ts";
import { createHere } from "./run-here.ts";

const EVENTS = 6_000;

async function start() {
  const harness = await setup({ config: { emulator: true } });
  const here = await createHere();
  const { clients } = harness;
  await clients.pricing.pushCatalog({ catalog: monthCatalog });
  for (let from = 0; from < EVENTS; from += 1_000) {
    const events = Array.from({ length: 1_000 }, (_, at) => ({
      metric: "CALLS",
      amount: `${at}.5`,
      customerId: at % 7 === 0 ? "=cmd()" : `customer ${at % 10}`,
      idempotencyKey: `key-${from + at}`,
      occurredAt: timestampFromDate(new Date("2015-05-21T00:00:00Z")),
      properties: { user: `u${at}, "the ${at}th"` },
    }));
    await clients.usage.trackUsage({ events });
  }
  const run = (url: string, ...args: string[]) =>
    here.run(["export", ...args], { env: { USAGEFLOW_URL: url, USAGEFLOW_API_KEY: harness.tenant.testKey } });
  const text = (name: string) => readFile(join(here.folder, name), "utf8");
  return { ...harness, ...here, export: run, text };
}

const isThere = (file: string) => stat(file).then(Boolean, () => false);

test("an export that is cut goes on where it stopped: no row is missing, and none is there twice", async () => {
  const { api, export: run, text, folder, clients } = await start();
  for (const format of ["ndjson", "csv"]) {
    await run(api.url, "usage", "--format", format, "--out", `whole.${format}`);
    const whole = await text(`whole.${format}`);
    const proxy = await startCuttingProxy(() => api.url, 16_000);
    const args = ["usage", "--format", format, "--out", `cut.${format}`, "--resume"];
    const file = join(folder, `cut.${format}`);
    let cuts = 0;
    for (let done = false; !done; ) {
      const { code, stderr } = await run(proxy.url, ...args);
      done = code === 0;
      if (done) break;
      cuts += 1;
      expect([code, stderr]).toEqual([6, expect.stringContaining("The same with --resume goes on.")]);
      expect(await isThere(file)).toBe(false);
      // As a process that is killed leaves it: rows that no place tells of.
      if (cuts === 2) await appendFile(`${file}.part`, '{"idempotencyKey":"half a r');
    }
    expect(cuts).toBeGreaterThan(2);
    expect((await text(`cut.${format}`)) === whole).toBe(true);
    expect(whole.trimEnd().split("\n").length).toBe(EVENTS + (format === "csv" ? 1 : 0));
    expect([await isThere(`${file}.part`), await isThere(`${file}.resume`)]).toEqual([false, false]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  }
  const exports = await clients.tenant.listAuditEntries({ filter: { actions: ["ExportUsageEvents"] } });
  expect(exports.auditEntries.length).toBeGreaterThan(6);
});

test("a file that is there already is left alone unless it is said that it may be replaced", async () => {
  const { api, tenant } = await setup();
  const here = await createHere({ USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey });
  const file = join(here.folder, "audit.ndjson");
  const run = (...more: string[]) => here.run(["export", "audit", "--out", "audit.ndjson", ...more]);
  await writeFile(file, "the only copy\n");
  const refusal = "Error: there is a file audit.ndjson already\nWrite into another one, or replace it with --force.\n";
  for (const more of [[], ["--resume"]]) {
    expect(await run(...more)).toEqual({ code: 5, stdout: "", stderr: refusal });
    expect(await readFile(file, "utf8")).toBe("the only copy\n");
    expect(await isThere(`${file}.part`)).toBe(false);
  }
  expect(await run("--force")).toMatchObject({ code: 0 });
  // A refused one was no export: the log has the one that was made.
  expect((await readFile(file, "utf8")).match(/"ExportAudit"/g)).toHaveLength(1);
  expect((await here.run(["export", "audit", "--force"])).code).toBe(2);
});

test("rows go to stdout where there is no file, in the form that an import reads", async () => {
  const { api, export: run, run: command, folder, clients, tenant } = await start();
  await clients.usage.voidUsage({ idempotencyKeys: ["key-3"], reason: "a test" });
  const { code, stdout, stderr } = await run(api.url, "usage", "--before", "2100-01-01");
  expect([code, stderr]).toEqual([0, ""]);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows.length).toBe(EVENTS);
  const { void: takenBack, ...voided } = rows.find((row) => row.idempotencyKey === "key-3");
  expect(takenBack).toMatchObject({ reason: "a test" });
  const file = join(folder, "again.ndjson");
  await writeFile(file, `${[voided, ...rows.slice(-500)].map((row) => JSON.stringify(row)).join("\n")}\n`);
  const env = { USAGEFLOW_URL: api.url, USAGEFLOW_API_KEY: tenant.testKey };
  const again = await command(["usage", "import", file, "--json"], { env });
  expect(JSON.parse(again.stdout)).toEqual({ accepted: 0, duplicate: 501, conflict: 0, rejected: 0 });
  const csv = (await run(api.url, "usage", "--format", "csv")).stdout.split("\r\n");
  expect(csv[0]).toBe("idempotencyKey,customerId,metric,amount,occurredAt,properties,voidedAt,reason");
  expect(csv[1]).toBe(`key-0,'=cmd(),CALLS,0.5,2015-05-21T00:00:00Z,"{""user"":""u0, \\""the 0th\\""""}",,`);
  expect((await run(api.url, "lines", "--format", "csv", "--json")).code).toBe(2);
  expect((await run(api.url, "usage", "--resume")).code).toBe(2);
  const none = await run(api.url, "usage", "--from", "2100-01-01");
  expect(none).toEqual({ code: 0, stdout: "", stderr: "Nothing to export: no usage.\n" });
  const refused = "Error: no/such.csv: its folder is not there\nName another place.\n";
  expect(await run(api.url, "lines", "--out", "no/such.csv")).toEqual({ code: 1, stdout: "", stderr: refused });
});
