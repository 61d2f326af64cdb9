import { rm } from "node:fs/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { catalog } from "../support/catalog.ts";
import { startCutOff } from "../support/cut-off.ts";
import { setup } from "../support/harness.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { makeScratch } from "../support/scratch.ts";
import { type Screen, startScreen } from "../support/screen.ts";
import { USAGEFLOW } from "../support/usageflow.ts";
import { COMPILED } from "./run-cli.ts";

// On a real terminal, against a real server. What is on the screen is compared with what the user guide shows: new screens
// are written by `npx vitest run test/cli/dashboard -u`.

const MINUTE_MS = 60_000;

/** A tenant of which every screen has something, always the same; and a way to its server that can be cut. */
async function start() {
  const harness = await setup({ config: { emulator: true, breakerFailures: 0, deliveryScheduleMs: [0, MINUTE_MS] } });
  const { app, clients, clock, ownerDb, tenant } = harness;
  const receiver = await startReceiver();
  await clients.pricing.pushCatalog({ catalog });
  clock.advance(MINUTE_MS - (clock.now().getTime() % MINUTE_MS));
  const track = (customerId: string, amount: string, at: string) =>
    clients.usage.trackUsage({
      events: ["API_CALL", "EGRESS_BYTES"].map((metric, i) => ({
        metric,
        amount: i === 0 ? amount : `${amount}000`,
        customerId,
        occurredAt: timestampFromDate(new Date(at)),
      })),
    });
  for (const [at, customer] of ["ann", "bob", "cat", "dan"].entries()) {
    for (let day = 1; day <= 20; day++) {
      await track(
        customer,
        String(10 + ((day * 7 + at * 13) % 40) * 5),
        `2015-05-${String(day).padStart(2, "0")}T12:00:00Z`,
      );
    }
    await harness.drain();
  }
  await harness.advanceTo("2015-06-01T02:00:00Z");
  const { endpoint } = await clients.webhook.createEndpoint({ url: receiver.url });
  await clients.invoice.markInvoicePaid({ id: "INV-000001" });
  await harness.drain();
  receiver.behave(answer(503));
  await clients.invoice.voidInvoice({ id: "INV-000002", reason: "sent twice" });
  await harness.drain();
  receiver.behave(answer(204));
  await track("ann", "70", "2015-06-01T01:00:00Z");
  await harness.drain();
  clock.advance(MINUTE_MS);
  // What depends on this machine and this hour is not what the screens are about.
  const answered = { "content-type": "text/plain" };
  await sql`update delivery_attempt set duration_us = 12300, resolve_us = null, connect_us = 1200, first_byte_us = 9900,
    worker = 'worker-1 42', response_headers = ${JSON.stringify(answered)}::jsonb`.execute(ownerDb);
  const folder = await makeScratch("usageflow-dashboard-");
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const way = await startCutOff(harness.api.url);
  const env = {
    ...{ PATH: process.env.PATH ?? "", HOME: folder, TMPDIR: folder, TERM: "xterm-256color", TZ: "UTC" },
    ...{ USAGEFLOW_STATE_DIR: folder, USAGEFLOW_URL: way.url, USAGEFLOW_API_KEY: tenant.testKey },
    NODE_COMPILE_CACHE: COMPILED,
  };
  const open = (size = {}, more: Record<string, string> = {}) =>
    startScreen([process.execPath, USAGEFLOW, "dashboard"], { ...env, ...more }, size);
  return { ...harness, app, receiver, endpointId: endpoint?.id ?? "", way, open };
}

/** A screen without what differs from run to run; nothing moves. */
function masked(text: string): string {
  return text
    .replace(/ +$/gm, "")
    .replace(/\b(whd|evt|inv|whe|sub)_[0-9A-Za-z]{22}/g, (id) => id.slice(0, 4) + "0".repeat(22))
    .replace(/\b20(1[6-9]|[2-9]\d)-\d\d-\d\d \d\d:\d\d:\d\d/g, "2015-06-01 02:00:00")
    .replace(/\b20(1[6-9]|[2-9]\d)-\d\d-\d\d \d\d:\d\d\b {3}/g, "2015-06-01 02:00:00")
    .replace(/(?<=│.{3}|│.{3}.*)\b\d\d:\d\d:\d\d\b(?=.*│)/g, "02:00:00");
}

async function shows(screen: Screen, name: string, wanted: string | RegExp): Promise<void> {
  const isThere = (text: string) => (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text));
  const text = await screen.until((now) => isThere(now) && !now.includes("… "));
  await expect(`${masked(text)}\n`).toMatchFileSnapshot(`../../docs/screens/${name}.txt`);
}

test("every view shows what there is, as the guide does, at 80 by 24", async () => {
  const { open, drain } = await start();
  const screen = open();
  await shows(screen, "overview", /USD(.|\n)*taken(.|\n)*up to date(.|\n)*invoice\.voided/);
  expect(screen.isAlternate()).toBe(true);
  screen.press("2", "left");
  await shows(screen, "usage", /2015-05 by metric(.|\n)*API_CALL +\d(.|\n)*2015-05-31/);
  screen.press("enter");
  await shows(screen, "usage-by-customer", /API_CALL in 2015-05 by customer(.|\n)*dan +\d(.|\n)*2015-05-31/);
  screen.press("3");
  await shows(screen, "plans", "0.0333 each");
  screen.press("4");
  await shows(screen, "invoices", "void ");
  screen.press("j", "j");
  await screen.until("▸ INV-000002");
  screen.press("enter");
  await shows(screen, "invoice", "tier above 100");
  screen.press("escape", "5");
  await shows(screen, "deliveries", "retrying");
  screen.press("enter");
  await shows(screen, "delivery", "What was sent");
  screen.press("6");
  await shows(screen, "clock", /What happened 1 of(.|\n)*invoice\.voided/);
  screen.press("?");
  await shows(screen, "help", "send the delivery again");
  screen.press("q");
  expect(await screen.ended).toBe(0);
  expect(screen.isAlternate()).toBe(false);
  expect(screen.text().trim()).toBe("");
  await drain();
});

test("deliveries are filtered, inspected, sent again and copied; what is new comes by itself; 60 columns are enough", async () => {
  const { open, drain, clients, receiver } = await start();
  const screen = open();
  await screen.until("connected");
  screen.press("5");
  await screen.until("retrying");
  // Keys that come in one piece are keys one by one.
  screen.write("/paid");
  await screen.until("filter: paid");
  const filtered = await screen.until((text) => text.includes("/paid · ") && !text.includes("invoice.voided"));
  expect(filtered).toContain("invoice.paid");
  screen.press("enter", "escape");
  await screen.until("invoice.voided");
  const before = receiver.got.length;
  screen.press("enter");
  await screen.until("503");
  screen.press("r");
  await screen.until("Sent again: whd_");
  await drain();
  await screen.until((text) => /State +delivered/.test(text) && text.includes("Attempt 2"));
  expect(receiver.got.length).toBe(before + 1);
  screen.press("c");
  const [, id = ""] = /Copied: (whd_\w+)/.exec(await screen.until("Copied: ")) ?? [];
  expect(screen.raw()).toContain(`\x1b]52;c;${Buffer.from(id).toString("base64")}\x07`);
  screen.press("escape");
  await clients.invoice.markInvoicePaid({ id: "INV-000003" });
  await drain();
  await screen.until((text) => (text.match(/invoice\.paid/g) ?? []).length === 2);
  screen.resize(60, 24);
  await shows(screen, "deliveries-narrow", /6 Clock *\n╭(.|\n)*╰─{58}╯/);
  for (const line of screen.text().split("\n")) expect(line.length).toBeLessThanOrEqual(60);
  screen.resize(120, 40);
  await screen.until((text) => text.split("\n").some((line) => line.length === 120 && line.endsWith("╮")));
  screen.press("ctrl-c");
  expect(await screen.ended).toBe(130);
  expect(screen.text()).toMatch(/^Interrupted: by Ctrl-C\n/);
});

test("a server that goes away is told, and found again; the clock is advanced, and what comes of it is there", async () => {
  const { open, way, drain } = await start();
  const screen = open({ columns: 100, rows: 30 }, { NO_COLOR: "1" });
  await screen.until(/USD/.source);
  await way.cut();
  expect(await screen.until("server away for")).toContain("reconnecting");
  await way.mend();
  await screen.until((text) => text.includes("● connected") && !text.includes("away"));
  screen.press("6");
  await screen.until("press a");
  screen.write("a31d");
  await screen.until("to (2015-06-02): 31d");
  screen.press("enter");
  await screen.until(/On its way/.source);
  await drain();
  await screen.until("2015-07-02 02:00 UTC");
  expect(screen.raw()).not.toMatch(/\x1b\[[\d;]*(3\d|4\d|38|48)m/);
  screen.kill("SIGTERM");
  expect(await screen.ended).toBe(143);
  expect(screen.isAlternate()).toBe(false);
});
