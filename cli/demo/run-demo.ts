import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { advanceClock } from "../advance-clock.ts";
import { parseCatalog } from "../catalog/catalog-file.ts";
import { CliError } from "../cli-error.ts";
import { connect } from "../client.ts";
import { startUnlessStopped } from "../emulator/start-unless-stopped.ts";
import { count, money, time } from "../output/text.ts";
import { stopError } from "../stop-signal.ts";
import { demoCatalog } from "./demo-catalog.ts";
import { DEMO_CLOCK_MS, demoUsage } from "./demo-usage.ts";
import { type Receiver, startReceiver } from "./receiver.ts";

const BATCH_EVENTS_MAX = 1_000;
const DELIVERED_WITHIN_MS = 10_000;
/** Past the month's end and the hour in which its invoices are drafts. */
const ADVANCED_MS = Date.UTC(2026, 3, 1, 2);

/** One step of the demo, when it is done. */
export interface DemoStep {
  name: string;
  /** What came of it. */
  text: string;
  ms: number;
}

/** What came out of the demo. */
export interface DemoResult {
  accepted: number;
  duplicate: number;
  invoices: Invoice[];
  /** POSTs that reached the receiver, and events whose signature it found good. */
  received: number;
  verified: number;
}

export interface DemoOptions {
  stop: AbortSignal;
  onStep: (step: DemoStep) => void;
  /** Told what goes wrong in the server. */
  onTrouble: (words: string) => void;
}

/** A month of usage, from the first event to the signed webhook, on an emulator that is gone afterwards. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  await using undo = new AsyncDisposableStack();
  const step = createSteps(options);

  const receiver = await startReceiver();
  undo.defer(() => receiver.close());
  const catalog = parseCatalog(demoCatalog, "catalog.yaml");
  const clock = new Date(DEMO_CLOCK_MS);
  const emulator = await startUnlessStopped(
    { port: 0, clock, catalog, forwardTo: receiver.url, listeners: options },
    options.stop,
  );
  undo.defer(() => emulator.close());
  receiver.secret = emulator.webhookSecret;
  step("emulator", "server, workers and a PostgreSQL of their own, with a catalog");

  const transport = connect(emulator);
  const events = demoUsage();
  const usage = createClient(UsageService, transport);
  const tally = { accepted: 0, duplicate: 0 };
  for (let at = 0; at < events.length; at += BATCH_EVENTS_MAX) {
    const { results } = await usage.trackUsage({ events: events.slice(at, at + BATCH_EVENTS_MAX) });
    tally.accepted += results.filter(({ outcome }) => outcome === UsageOutcome.ACCEPTED).length;
    tally.duplicate += results.filter(({ outcome }) => outcome === UsageOutcome.DUPLICATE).length;
  }
  const customers = new Set(events.map((event) => event.customerId)).size;
  const outcomes = `${tally.accepted.toLocaleString("en")} accepted, ${tally.duplicate.toLocaleString("en")} duplicate`;
  step("usage", `${count(events.length, "event")} of ${count(customers, "customer")}: ${outcomes}`);

  const tenants = createClient(TenantService, transport);
  const { now } = await advanceClock(tenants, { case: "to", value: timestampFromMs(ADVANCED_MS) });
  const { invoices } = await createClient(InvoiceService, transport).listInvoices({ pageSize: 1_000 });
  if (invoices.length !== customers)
    throw new CliError("failed", `${customers} customers got ${invoices.length} invoices`);
  const total = invoices.reduce((sum, invoice) => sum + invoice.totalMinor, 0n);
  step("clock", `to ${time(now)}: ${count(invoices.length, "invoice")}, ${money(total, "USD")}`);

  await delivered(receiver, invoices.length);
  const verified = [...receiver.verified.values()].reduce((sum, ids) => sum + ids.size, 0);
  step("webhooks", `${receiver.received} received, ${verified} verified with the standardwebhooks library`);
  return { ...tally, invoices, received: receiver.received, verified };
}

function createSteps({ stop, onStep }: DemoOptions) {
  let began = performance.now();
  return (name: string, text: string) => {
    onStep({ name, text, ms: Math.round(performance.now() - began) });
    if (stop.aborted) throw stopError(stop, "the demo was stopped");
    began = performance.now();
  };
}

// What is told of each customer in its month.
const TOLD = ["customer.created", "subscription.started", "invoice.created", "invoice.finalized"];

/** Waits until all that there is to tell of each customer, which has one invoice, has come. */
async function delivered(receiver: Receiver, invoices: number): Promise<void> {
  const began = performance.now();
  const came = (type: string) => receiver.verified.get(type)?.size ?? 0;
  while (TOLD.some((type) => came(type) < invoices)) {
    if (performance.now() - began > DELIVERED_WITHIN_MS) throw new CliError("failed", "not all webhooks came");
    await sleep(20);
  }
}
