import { randomBytes, randomUUID } from "node:crypto";
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
import { stageEvents, times } from "../webhook/stage-events.ts";

/** Commands that a call of `main` cannot show, and where they are tested as processes. */
export const AS_PROCESS: Record<string, string> = {
  dashboard: "dashboard.test.ts",
  demo: "emulator.test.ts",
  doctor: "doctor.test.ts",
  "deliveries tail": "listen.test.ts",
  "emulator env": "emulator-orders.test.ts",
  "emulator exec": "emulator.test.ts",
  "emulator reset": "snapshot.test.ts",
  "emulator seed": "snapshot.test.ts",
  "emulator snapshot load": "snapshot.test.ts",
  "emulator snapshot save": "snapshot.test.ts",
  "emulator start": "emulator.test.ts",
  "emulator status": "emulator-orders.test.ts",
  "emulator stop": "emulator-orders.test.ts",
  listen: "listen.test.ts",
  init: "journey/upgrade.test.ts",
  migrate: "journey/upgrade.test.ts",
  "organization recover": "members.test.ts",
  "secrets rotate": "secrets.test.ts",
  "secrets show": "secrets.test.ts",
  serve: "command-line.test.ts",
};

/** Commands that show a secret, because they made it. */
export const SHOWS_SECRET = [
  ...["endpoints create", "endpoints rotate-secret", "keys create", "keys rotate", "members accept", "members invite"],
  ...["organization create", "tokens create"],
];

/** What the examples below need. */
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
const OPERATOR_KEY = randomBytes(32);
const CATALOG = `
metrics: [{ key: SEATS, aggregation: MAX }]
plans: [{ key: seats, currency: USD, period: MONTHLY, prices: [{ key: seat, metric: SEATS, perUnit: { unitAmount: "5" } }] }]
`;

/** A tenant that has one or more of everything, its workers running, and files in the folder where commands run. */
export async function createWorld(folder: string): Promise<World> {
  const harness = await setup({
    config: { emulator: true, deliveryScheduleMs: [0], breakerFailures: 0, operatorKey: OPERATOR_KEY },
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

type Args = readonly string[];

/** For every command a line that succeeds: what follows its name, and the exit code where it is not 0. */
export const EXAMPLES: Record<string, (world: World) => Args | Promise<Args>> = {
  "audit export": ({ folder }) => ["--out", join(folder, "audit.ndjson")],
  "audit list": () => [],
  "audit tail": () => ["--after", "0", "--count", "2"],
  "audit verify": () => [],
  "catalog diff": ({ folder }) => [join(folder, "catalog.yaml")],
  "catalog pull": () => [],
  "catalog push": ({ folder }) => [join(folder, "catalog.yaml")],
  "catalog schema": () => [],
  "clock advance": () => ["--by", "1h"],
  "clock show": () => [],
  completion: () => ["bash"],
  "credit-notes create": (world) => [world.invoice(), "--full", "--reason", "x"],
  "credit-notes list": () => [],
  "credit-notes show": async (world) => [await world.note()],
  "credits grant": () => ["ann", "--amount", "5.00", "--currency", "USD"],
  "credits ledger": () => ["--customer", "ann"],
  "credits list": () => [],
  "credits revoke": async (world) => [await world.grant(), "--reason", "x"],
  "customers erase": async ({ clients }) => {
    await clients.tenant.putCustomer({ customer: { id: "leaver", name: "Ann" } });
    return ["leaver", "--yes"];
  },
  "customers list": () => [],
  "customers put": () => ["ann", "--name", "Ann"],
  "customers show": () => ["user_1"],
  "deliveries list": () => [],
  "deliveries replay": ({ endpoint }) => ["--endpoint", endpoint, "--dry-run"],
  "deliveries retry": ({ delivery }) => [delivery],
  "deliveries show": ({ delivery }) => [delivery],
  "deliveries skip": async ({ clients, newEndpoint }) => {
    const endpointId = await newEndpoint();
    await clients.webhook.pauseEndpoint({ id: endpointId });
    return [(await clients.webhook.sendTestEvent({ endpointId })).delivery?.id ?? ""];
  },
  "discounts create": (world) => [world.subscription(), "--name", "Launch", "--percent", "20", "--for-ever"],
  "discounts end": async (world) => [await world.discount()],
  "discounts list": () => [],
  "endpoints create": () => ["https://example.com/hook"],
  "endpoints delete": async (world) => [await world.newEndpoint()],
  "endpoints list": () => [],
  "endpoints pause": async (world) => [await world.newEndpoint()],
  "endpoints resume": async (world) => [await world.newEndpoint()],
  "endpoints rotate-secret": async (world) => [await world.newEndpoint()],
  "endpoints show": ({ endpoint }) => [endpoint],
  "endpoints test": ({ endpoint }) => [endpoint],
  "endpoints update": ({ endpoint }) => [endpoint, "--description", "mine"],
  "events list": () => [],
  "events resend": ({ event, endpoint }) => [event, "--endpoint", endpoint],
  "events show": ({ event }) => [event],
  "events types": () => [],
  "export audit": () => [],
  "export deliveries": () => [],
  "export invoices": () => ["--from", "2015-05-01"],
  "export lines": ({ folder }) => ["--out", join(folder, "lines.csv"), "--format", "csv"],
  "export usage": ({ folder }) => ["--out", join(folder, "events.ndjson"), "--resume"],
  "invoices finalize": (world) => [world.finalized],
  "invoices list": () => [],
  "invoices pay": (world) => [world.invoice()],
  "invoices preview": () => ["--customer", "user_1"],
  "invoices show": (world) => [world.invoice()],
  "invoices uncollectible": (world) => [world.invoice(), "--reason", "x"],
  "invoices verify": () => ["INV-000001"],
  "invoices void": (world) => [world.invoice(), "--reason", "x"],
  "keys create": () => ["--role", "ingest"],
  "keys list": () => [],
  "keys rotate": async (world) => [await world.key()],
  "keys revoke": async (world) => [await world.key()],
  "members accept": async (world) => ["--code", await world.code(), "--name", "Ada"],
  "members invite": ({ asOwner }) => ["ada@example.com", "--role", "viewer", ...asOwner],
  "members list": ({ asOwner }) => asOwner,
  "members remove": async ({ member, asOwner }) => [await member(), ...asOwner],
  "members role": async ({ member, asOwner }) => [await member(), "admin", ...asOwner],
  "metrics list": () => [],
  "metrics put": () => ["JOBS", "--aggregation", "count"],
  "metrics show": () => ["API_CALL"],
  logout: (world) => ["--profile", world.profile()],
  login: () => [],
  "organization create": () => [
    ...["Other", "--owner", "ada@example.com", "--operator-key", OPERATOR_KEY.toString("base64")],
  ],
  "organization rename": ({ asOwner }) => ["Acme", ...asOwner],
  "organization show": ({ asOwner }) => asOwner,
  "organization tenants": ({ asOwner }) => asOwner,
  overview: () => [],
  "plans list": () => [],
  "plans show": () => ["pro"],
  "plans simulate": () => ["--plan", "pro"],
  "prices preview": ({ folder }) => ["--file", join(folder, "price.yaml"), "--currency", "USD", "--quantity", "2"],
  "profiles list": () => [],
  "profiles remove": (world) => [world.profile()],
  "profiles use": (world) => [world.profile()],
  "replays cancel": async (world) => [await world.replay()],
  "replays list": () => [],
  "replays show": async (world) => [await world.replay()],
  "subscriptions change": (world) => [world.subscription(), "--quantity", "2"],
  "subscriptions end": (world) => [world.subscription()],
  "subscriptions list": () => [],
  "subscriptions resume": async (world) => {
    const id = world.subscription();
    await world.clients.pricing.endSubscription({ id, timing: 2 });
    return [id];
  },
  "subscriptions show": (world) => [world.subscription()],
  "subscriptions start": () => [`new_${Math.random()}`, "pro"],
  "subscriptions thresholds": (world) => [world.subscription(), "--amounts", "100"],
  "tenant show": () => [],
  "tenant update": () => ["--memo", "Thanks."],
  "tokens create": ({ asOwner }) => ["--name", "laptop", ...asOwner],
  "tokens list": ({ asOwner }) => asOwner,
  "tokens revoke": async ({ clientsFor, tenant, asOwner }) => {
    const { accessToken } = await clientsFor(tenant.ownerToken).tenant.createAccessToken({});
    return [accessToken?.id ?? "", ...asOwner];
  },
  trigger: () => ["customer.created"],
  "usage events": () => [],
  "usage explain": () => ["user_1-1"],
  "usage import": ({ folder }) => [join(folder, "usage.ndjson")],
  "usage show": () => ["API_CALL"],
  "usage track": () => ["API_CALL", "5", "--customer", "user_1", "--key", "tracked"],
  "usage unbilled": () => [],
  "usage void": () => ["user_2-2", "--reason", "x"],
  whoami: () => [],
  "webhooks verify": ({ folder }) => [
    ...["--secret", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "--id", "msg_1", "--timestamp", "1614265330"],
    ...["--signature", "v1,x", "--payload", join(folder, "body.json")],
  ],
};

/** Exit codes of examples that end otherwise than with 0, and why. */
export const EXITS: Record<string, number> = {
  "webhooks verify": 1, // the signature is made up
};
