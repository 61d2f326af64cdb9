import { join } from "node:path";

import { SERVER_KEYS } from "../support/secret-scan.ts";
import type { World } from "./world.ts";

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
  init: "init.test.ts",
  migrate: "journey/upgrade.test.ts",
  "organization recover": "members.test.ts",
  "secrets rotate": "secrets.test.ts",
  "secrets show": "secrets.test.ts",
  serve: "command-line.test.ts",
  status: "status.test.ts",
};

/** Commands that show a secret, because they made it. */
export const SHOWS_SECRET = [
  ...["endpoints create", "endpoints rotate-secret", "keys create", "keys rotate", "members accept", "members invite"],
  ...["organization create", "tokens create"],
];

type Args = readonly string[];

/** For every command a line that succeeds: what follows its name, and the exit code where it is not 0. */
export const EXAMPLES: Record<string, (world: World) => Args | Promise<Args>> = {
  "audit export": ({ folder }) => ["--out", join(folder, "audit.ndjson"), "--force"],
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
  "export lines": ({ folder }) => ["--out", join(folder, "lines.csv"), "--format", "csv", "--force"],
  "export usage": ({ folder }) => ["--out", join(folder, "events.ndjson"), "--resume", "--force"],
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
  login: ({ asOwner }) => [...asOwner, "--tenant", "test"],
  "organization cancel-deletion": ({ asOwner }) => asOwner,
  "organization create": () => [
    ...["Other", "--another", "--owner", "ada@example.com", "--operator-key", SERVER_KEYS.operator.toString("base64")],
  ],
  "organization delete": async ({ asOwner, clientsFor, tenant }) => {
    const { organization } = await clientsFor(tenant.ownerToken).tenant.getOrganization({});
    return [organization?.name ?? "", "--yes", ...asOwner];
  },
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
