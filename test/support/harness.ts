import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { onTestFinished } from "vitest";
import type { Invoice } from "../../gen/usageflow/v1/invoice_pb.ts";
import { type Api, startApi } from "../../server/api.ts";
import { type App, closeApp, createApp } from "../../server/app.ts";
import type { Clock } from "../../server/clock.ts";
import { type Config, defaults } from "../../server/config.ts";
import { type Db, openDatabase } from "../../server/db/database.ts";
import { createLog } from "../../server/log.ts";
import { createSecrets } from "../../server/secrets.ts";
import { initOrganization } from "../../server/tenant/init-organization.ts";
import { drain } from "../../server/worker.ts";
import { type Clients, createClients } from "./clients.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import { LogScan, SERVER_KEYS } from "./secret-scan.ts";
import { TestClock } from "./test-clock.ts";

export const TEST_CLOCK = "2015-05-21T00:00:00Z";

export interface Organization {
  organizationId: string;
  /** The access token of its first owner. */
  ownerToken: string;
  testId: string;
  liveId: string;
  testKey: string;
  liveKey: string;
}

export interface Harness {
  app: App;
  api: Api;
  database: TestDatabase;
  /** As the superuser: for what no role of the server may do. */
  ownerDb: Db;
  clock: TestClock;
  /** Of the first organization. */
  tenant: Organization;
  /** As the owner of the first organization's test tenant. */
  clients: Clients;
  clientsFor(secret: string, tenant?: string): Clients;
  /** Another organization, its test clock frozen at the same time. */
  addOrganization(name: string): Promise<Organization>;
  /** Another app on the same database, such as a second process has. */
  addApp(config?: Partial<Config>, clock?: Clock): Promise<App>;
  /** Runs every loop until none finds work. */
  drain(): Promise<void>;
  /** Advances the test tenant's clock, with all that falls due. */
  advanceTo(time: string): Promise<void>;
}

export interface SetupOptions {
  config?: Partial<Config>;
  /** Whether apps tell each other of work, on direct connections. */
  listen?: boolean;
  /** The way of all other connections of the apps. */
  through?: (url: string) => string;
  /** A server of the test's own. */
  adminUrl?: string;
  /** Takes the lines that apps log at `config.logLevel`, which is to be set. Absent: stderr. */
  lines?: string[];
}

/** Real Postgres, real HTTP, the real client; only the process clock is a fake. Closed when the test is finished. */
export async function setup(options: SetupOptions = {}): Promise<Harness> {
  const database = await createTestDatabase(options.adminUrl);
  const clock = new TestClock();
  const { listen = false, through = (url: string) => url } = options;
  const config: Config = {
    ...defaults,
    databaseUrl: through(database.databaseUrl),
    workerDatabaseUrl: through(database.workerDatabaseUrl),
    listenUrl: listen ? database.workerDatabaseUrl : undefined,
    port: 0,
    masterKey: SERVER_KEYS.master,
    keyPepper: SERVER_KEYS.pepper,
    emulator: false,
    logLevel: "silent",
    databaseConnectionsMax: 8,
    shutdownGraceMs: 1_000,
    shutdownDelayMs: 0,
    // A clock that stands still fills no rate, and a busy machine is late: tests of these limits set them.
    ...{ keyCallsPerSecond: 0, tenantCallsPerSecond: 0, keyEventsPerSecond: 0, tenantEventsPerSecond: 0 },
    ...{ eventLoopDelayMaxMs: 0, waitMaxMs: 30_000 },
    ...options.config,
  };
  const { lines } = options;
  // A test that does not look at the log has it written all the same, with all that there is, to see that no secret is in it.
  const scan = new LogScan();
  const isSeen = config.logLevel !== "silent";
  const see = (line: string) => void (lines ? lines.push(line) : process.stderr.write(line));
  const write = (line: string) => {
    scan.note(line);
    if (isSeen) see(line);
  };
  const log = createLog(isSeen ? config.logLevel : "debug", { write });
  const apps: App[] = [];
  const addApp = async (more: Partial<Config> = {}, other: Clock = clock) => {
    const app = await createApp({ ...config, ...more }, { clock: other, log });
    apps.push(app);
    return app;
  };
  const addOrganization = async (name: string): Promise<Organization> => {
    const parts = { secrets: createSecrets(config), clock };
    const { organization, live, test, ownerToken } = await initOrganization(database.ownerUrl, parts, {
      name,
      testClock: new Date(TEST_CLOCK),
    });
    const keys = { testKey: test.secret, liveKey: live.secret, ownerToken };
    return { organizationId: organization.id, testId: test.tenantId, liveId: live.tenantId, ...keys };
  };
  const app = await addApp();
  const tenant = await addOrganization("Acme");
  const api = await startApi(app);
  const { db: ownerDb } = openDatabase({
    url: database.ownerUrl,
    connectionsMax: 4,
    statementTimeoutMs: 60_000,
    onIdleError: () => {},
  });
  onTestFinished(async () => {
    await api.close();
    await Promise.all(apps.map(closeApp));
    await ownerDb.destroy();
    await database.drop();
    scan.check();
  });
  const clientsFor = (secret: string, tenant?: string) => createClients(api.url, secret, tenant);
  const clients = clientsFor(tenant.testKey);
  return {
    app,
    api,
    database,
    ownerDb,
    clock,
    tenant,
    clients,
    clientsFor,
    addOrganization,
    addApp,
    drain: () => drain(app),
    async advanceTo(time) {
      const to = timestampFromDate(new Date(time));
      await clients.tenant.advanceClock({ destination: { case: "to", value: to } });
      await drain(app);
    },
  };
}

/** All invoices of the clients' tenant, page by page. */
export async function listAllInvoices(clients: Clients): Promise<Invoice[]> {
  const invoices: Invoice[] = [];
  let pageToken = "";
  do {
    const page = await clients.invoice.listInvoices({ pageSize: 1_000, pageToken });
    invoices.push(...page.invoices);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return invoices;
}
