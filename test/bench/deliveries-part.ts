import { create } from "@bufbuild/protobuf";
import { Agent, request } from "undici";
import { InvoiceSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { startApi } from "../../server/api.ts";
import { type App, closeApp, createApp } from "../../server/app.ts";
import { systemClock } from "../../server/clock.ts";
import { type Config, defaults } from "../../server/config.ts";
import { inTenant } from "../../server/db/database.ts";
import { appendEvents } from "../../server/outbox/append-event.ts";
import { dispatchEvents } from "../../server/outbox/dispatch-events.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { deliver } from "../../server/webhook/deliver.ts";
import { fanOut } from "../../server/webhook/fan-out.ts";
import { createClients } from "../support/clients.ts";

// One part of sending deliveries, in a process of its own: `prepare` makes tenants, endpoints and events, and fans them out;
// `floor` POSTs as many bodies by a bare undici loop; `deliver` sends what waits.

/** What a part is told. */
export interface DeliveriesTask {
  part: "prepare" | "floor" | "deliver";
  ownerUrl: string;
  databaseUrl: string;
  workerDatabaseUrl: string;
  /** Master key and pepper, base64. */
  key: string;
  receiverUrl: string;
  tenants: number;
  /** Deliveries, of all tenants together. */
  count: number;
}

/** What a part answers. */
export interface DeliveriesDone {
  count: number;
  ms: number;
}

// Events that one transaction stages.
const STAGED = 1_000;

const task = JSON.parse(process.argv[2] as string) as DeliveriesTask;
const key = Buffer.from(task.key, "base64");
const config: Config = { ...defaults, ...task, port: 0, masterKey: key, keyPepper: key, emulator: true };
const parts = { prepare, floor, deliver: send };
const app = await createApp(config);
const done = await parts[task.part](app);
process.send?.(done);
await closeApp(app);
process.disconnect();

async function prepare(app: App): Promise<DeliveriesDone> {
  const api = await startApi(app);
  const secrets = createSecrets({ masterKey: key, keyPepper: key });
  for (let number = 0; number < task.tenants; number++) {
    const made = await initOrganization(task.ownerUrl, { secrets, clock: systemClock }, { name: `Tenant ${number}` });
    const { tenantId, secret } = made.test;
    await createClients(api.url, secret).webhook.createEndpoint({ url: task.receiverUrl });
    const own = Math.ceil(task.count / task.tenants);
    for (let staged = 0; staged < own; staged += STAGED) await stage(app, tenantId, Math.min(STAGED, own - staged));
  }
  const began = performance.now();
  let count = 0;
  for (let more = 1; more > 0; count += more) more = await dispatchEvents(app, [fanOut(app)]);
  const ms = performance.now() - began;
  await api.close();
  return { count, ms };
}

function stage(app: App, tenantId: string, count: number): Promise<void> {
  const occurredAt = app.clock.now();
  const events = Array.from({ length: count }, (_, number) => ({
    type: "invoice.finalized" as const,
    occurredAt,
    facts: {
      invoice: create(InvoiceSchema, { customerId: `customer_${number}`, currency: "USD", totalMinor: 4_200n }),
    },
  }));
  return inTenant(app.db, tenantId, (tx) => appendEvents(tx, tenantId, events));
}

/** As many in flight as `deliver` has: an endpoint's share of the slots for one endpoint, half of all for one tenant, or all. */
async function floor(app: App): Promise<DeliveriesDone> {
  const { rows } = await app.pool.query("select 1");
  if (rows.length === 0) throw new Error("no database");
  const connections = config.deliveryConcurrencyMax / (task.tenants === 1 ? 4 : 1);
  const agent = new Agent({ pipelining: 1 });
  const body = await bodyOfOne(app);
  let left = task.count;
  const loop = async () => {
    while (left-- > 0) {
      const { body: answer } = await request(task.receiverUrl, {
        dispatcher: agent,
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      await answer.dump();
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, loop));
  const ms = performance.now() - began;
  await agent.close();
  return { count: task.count, ms };
}

async function bodyOfOne(app: App): Promise<string> {
  const { data } = await app.workerDb.selectFrom("outbox_event").select("data").limit(1).executeTakeFirstOrThrow();
  return `{"type":"invoice.finalized","timestamp":"${app.clock.now().toISOString()}","sequence":"1","data":${data}}`;
}

async function send(app: App): Promise<DeliveriesDone> {
  const began = performance.now();
  let count = 0;
  for (let more = 1; more > 0; count += more) more = await deliver(app);
  return { count, ms: performance.now() - began };
}
