import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../cli/client.ts";
import { startEmulator } from "../../cli/emulator/emulator.ts";
import { overridden } from "../../cli/trigger/override.ts";
import { runTrigger } from "../../cli/trigger/run-trigger.ts";
import { triggers } from "../../cli/trigger/triggers.ts";
import { type EventType, eventTypes } from "../../server/outbox/event-type.ts";
import { createClients } from "../support/clients.ts";
import { startReceiver } from "../support/receiver.ts";
import { CACHE, createPlace } from "./run-cli.ts";

test("every event type can be triggered, and arrives", { timeout: 120_000 }, async () => {
  expect(Object.keys(triggers).sort()).toEqual([...eventTypes].sort());
  process.env.USAGEFLOW_CACHE_DIR = CACHE;
  onTestFinished(() => {
    delete process.env.USAGEFLOW_CACHE_DIR;
  });
  const receiver = await startReceiver();
  const emulator = await startEmulator({
    port: 0,
    clock: new Date("2015-05-21T00:00:00Z"),
    randomSeed: 1, // what follows from a call is done before the next one: nothing is waited for
    forwardTo: receiver.url,
    listeners: { onTrouble: (words) => expect.fail(words) },
  });
  onTestFinished(() => emulator.close());
  const made: string[][] = [];
  for (const type of [...eventTypes, "customer.created"] as EventType[]) {
    const trigger = triggers[type];
    const event = await runTrigger({
      transport: connect(emulator),
      type,
      trigger,
      timeoutMs: 30_000,
      onStep: () => {},
    });
    made.push([event.id, type]);
  }
  const arrived = () => receiver.got.map(({ headers, body }) => [headers["webhook-id"], JSON.parse(body).type]);
  await expect.poll(arrived, { timeout: 60_000 }).toEqual(expect.arrayContaining(made));
  const { endpoints } = await createClients(emulator.url, emulator.apiKey).webhook.listEndpoints({});
  expect(endpoints.map(({ url }) => url)).toEqual([receiver.url]); // those of triggers are gone
});

test("the command triggers with other values, explains itself, and says what matches nothing", async () => {
  const place = await createPlace();
  const { run } = place;
  const [list, dry, explained, unknown] = await Promise.all([
    run(["trigger", "--list", "--json"]),
    run(["trigger", "customer.created", "--dry-run", "--set", "customer.customer.billing.purchaseOrder=PO7"]),
    run(["trigger", "invoice.finalized", "--explain"]),
    run(["trigger", "invoice.finalised", "--json"]),
    place.startEmulator("--clock", "2015-05-21"),
  ]);
  expect(JSON.parse(list.stdout).triggers).toHaveLength(eventTypes.length);
  expect(JSON.parse(dry.stdout)).toMatchObject({
    calls: [{ request: { customer: { billing: { purchaseOrder: "PO7" } } } }],
  });
  expect(explained.stdout).toMatch(/^STEP +CALL +WHAT FOR\ncustomer +TenantService.PutCustomer +a customer/);
  expect(explained.stdout).toContain("  usage.events[0].amount=1000\n");
  expect([unknown.code, JSON.parse(unknown.stderr).error]).toMatchObject([
    2,
    {
      message: 'there is no event "invoice.finalised"',
      hint: "Did you mean invoice.finalized? See all: usageflow trigger --list",
    },
  ]);
  const set = ["--set", "customer.customer.id=user_9", "--set", "usage.events[0].amount=3"];
  const triggered = await run(["trigger", "invoice.finalized", ...set, "--json"]);
  expect(JSON.parse(triggered.stdout)).toMatchObject({ type: "invoice.finalized", customerId: "user_9" });
  const { invoices } = JSON.parse((await run(["invoices", "list", "--json"])).stdout);
  expect(invoices).toMatchObject([{ customerId: "user_9", totalMinor: "2015", state: "INVOICE_STATE_FINALIZED" }]);
});

test.each([
  ["nobody.id=1", 'there is no step "nobody"'],
  ["customer.customer.nmae=x", 'there is no field "nmae" in it'],
  ["customer.customer.id.x=1", 'there is no field "x" in it'],
  ["subscription.quantity=many", '"many" is neither a number nor true or false'],
  ["subscription", "sets nothing"],
])("an override %s is refused", (override, words) => {
  expect(() => overridden(triggers["invoice.finalized"], [override])).toThrow(words);
});

test("an override of one of several that exclude each other takes the others' place", () => {
  const { steps } = overridden(triggers["invoice.created"], ["period-end.by=86400s"]);
  expect(steps.find(({ name }) => name === "period-end")?.request).toEqual({ by: "86400s" });
});
