import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { onTestFinished } from "vitest";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { startWorker } from "../../server/worker.ts";
import { catalog } from "../support/catalog.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { memberOf } from "../support/members.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { SERVER_KEYS } from "../support/secret-scan.ts";
import { stageEvents, times } from "../webhook/stage-events.ts";

/** What the examples of commands need. */
export interface World extends Harness {
  /** Where the commands run. */
  folder: string;
  /** A finalized invoice that no other example took: each time another. */
  invoice(): string;
  subscription(): string;
  /** The name of a profile that is stored. */
  profile(): string;
  /** The id of an invoice that is final. */
  finalized: string;
  endpoint: string;
  event: string;
  delivery: string;
  grant(): Promise<string>;
  discount(): Promise<string>;
  key(): Promise<string>;
  /** What a member comes with. */
  asOwner: readonly string[];
  /** The id of a member who is another each time. */
  member(): Promise<string>;
  /** Of an invite. */
  code(): Promise<string>;
  newEndpoint(): Promise<string>;
  note(): Promise<string>;
  replay(): Promise<string>;
}

const CUSTOMERS = 24;
const CATALOG = `
metrics: [{ key: SEATS, aggregation: MAX }]
plans: [{ key: seats, currency: USD, period: MONTHLY, prices: [{ key: seat, metric: SEATS, perUnit: { unitAmount: "5" } }] }]
`;

/** A tenant that has one or more of everything, its workers running, and files in the folder where commands run. */
export async function createWorld(folder: string): Promise<World> {
  const harness = await setup({
    config: { emulator: true, deliveryScheduleMs: [0], breakerFailures: 0, operatorKey: SERVER_KEYS.operator },
  });
  const { clients, clientsFor, tenant } = harness;
  const receiver = await startReceiver();
  await clients.pricing.pushCatalog({ catalog });
  const occurredAt = timestampFromDate(new Date("2015-05-20T00:00:00Z"));
  const customers = Array.from({ length: CUSTOMERS }, (_, at) => `user_${at + 1}`);
  await clients.usage.trackUsage({
    events: customers.flatMap((customerId) =>
      [1, 2].map((n) => {
        const idempotencyKey = `${customerId}-${n}`;
        return { metric: "API_CALL", amount: "241", customerId, occurredAt, idempotencyKey };
      }),
    ),
  });
  await harness.advanceTo("2015-06-01T01:00:00Z");
  const found = await listAllInvoices(clients);
  const invoices = found.map(({ number }) => number);
  const { subscriptions } = await clients.pricing.listSubscriptions({});
  const ids = subscriptions.map(({ id }) => id);
  receiver.behave(answer(503));
  const newEndpoint = async () => (await clients.webhook.createEndpoint({ url: receiver.url })).endpoint?.id ?? "";
  const endpoint = await newEndpoint();
  await stageEvents(harness.app, harness.tenant.testId, times(2));
  await harness.drain();
  const [delivery] = (await clients.webhook.listDeliveries({})).deliveries;
  receiver.behave(answer(204));
  await writeFile(join(folder, "catalog.yaml"), CATALOG);
  await writeFile(join(folder, "price.yaml"), 'metric: API_CALL\nperUnit: { unitAmount: "2" }\n');
  await writeFile(
    join(folder, "usage.ndjson"),
    '{"metric":"API_CALL","amount":1,"customerId":"u","idempotencyKey":"a"}\n',
  );
  await writeFile(join(folder, "body.json"), "{}");
  const worker = startWorker(harness.app);
  onTestFinished(() => worker.close());
  const subscription = () => ids.pop() ?? "";
  const invoice = () => invoices.pop() ?? "";
  return {
    ...harness,
    folder,
    invoice,
    subscription,
    profile() {
      const folderOf = join(folder, ".config", "usageflow");
      mkdirSync(folderOf, { recursive: true });
      const mine = { url: "http://127.0.0.1:1", apiKey: "uf_test_x", organization: "", kind: "test" };
      const all = { current: "mine", profiles: { mine } };
      writeFileSync(join(folderOf, "profiles.json"), JSON.stringify(all), { mode: 0o600 });
      return "mine";
    },
    finalized: found[0]?.id ?? "",
    endpoint,
    event: delivery?.eventId ?? "",
    delivery: delivery?.id ?? "",
    newEndpoint,
    grant: async () => {
      const granted = await clients.invoice.createCreditGrant({ customerId: "ann", amount: "5", currency: "USD" });
      return granted.creditGrant?.id ?? "";
    },
    discount: async () => {
      const made = await clients.pricing.createDiscount({
        subscriptionId: subscription(),
        name: "Launch",
        value: { case: "percent", value: "10" },
        duration: { case: "forEver", value: true },
      });
      return made.discount?.id ?? "";
    },
    key: async () => (await clients.tenant.createApiKey({ role: 5, name: "other" })).apiKey?.id ?? "",
    asOwner: ["--api-key", tenant.ownerToken],
    member: async () => (await memberOf(harness, tenant, Role.VIEWER)).id,
    code: async () => {
      const email = `${randomUUID()}@example.com`;
      return (await clientsFor(tenant.ownerToken).tenant.inviteMember({ email, role: Role.VIEWER })).code;
    },
    note: async () => {
      const scope = { case: "full", value: true } as const;
      const made = await clients.invoice.createCreditNote({ invoiceId: invoice(), scope, reason: "x" });
      return made.creditNote?.number ?? "";
    },
    replay: async () => {
      const { replay } = await clients.webhook.createReplay({ endpointId: endpoint });
      return replay?.id ?? "";
    },
  };
}
