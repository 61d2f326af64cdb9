import { setTimeout as pause } from "node:timers/promises";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { catalog } from "../support/catalog.ts";
import { createClients } from "../support/clients.ts";
import { doctorOf } from "../support/doctor.ts";
import { serverEnv, whenReady } from "../support/fleet.ts";
import { type Harness, setup } from "../support/harness.ts";
import { startReceiver } from "../support/receiver.ts";
import { stockClient } from "../support/stock-grpc.ts";
import { ended, startUsageflow } from "../support/usageflow.ts";

// A real process under load of every kind gets SIGTERM. What it took up, it answers; what it answered is there.

const EACH = 2; // clients of each kind, behind a balancer and without one
const ACKNOWLEDGED_MIN = 200; // before it is stopped
const RECEIVER_MS = 60;
const settings = {
  USAGEFLOW_SHUTDOWN_DELAY_MS: "1000",
  USAGEFLOW_LOG_LEVEL: "error", // to read a line for each call would take the time that the calls are to have
  USAGEFLOW_REFLECTION: "on",
  USAGEFLOW_DELIVERY_ALLOWED_CIDRS: "127.0.0.0/8,::1/128",
};

/** A call with a key of its own; it answers when the server did. */
type Call = (key: string) => Promise<unknown>;

const eventOf = (idempotencyKey: string) => ({ metric: "API_CALL", amount: "1", customerId: "ann", idempotencyKey });

/** Clients as backends have them: each over connections that it keeps. */
async function kinds({ tenant }: Harness, url: string): Promise<Record<string, Call>> {
  const secret = tenant.testKey;
  const withKey: Interceptor = (next) => (request) => {
    request.header.set("x-usageflow-api-key", secret);
    return next(request);
  };
  const connect = createClients(url, secret);
  const grpc = createClient(UsageService, createGrpcTransport({ baseUrl: url, interceptors: [withKey] }));
  const stock = await stockClient(url.replace("http://", ""), UsageService.typeName);
  const metadata = { "x-usageflow-api-key": secret };
  return {
    rest: async (key) => {
      const headers = { "content-type": "application/json", "x-usageflow-api-key": secret };
      const { metric, customerId } = eventOf(key);
      const body = JSON.stringify({ metric, amount: 1, customerId, idempotencyKey: key });
      const response = await fetch(`${url}/api/track`, { method: "POST", headers, body });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      await response.text();
    },
    connect: (key) => connect.usage.trackUsage({ events: [eventOf(key)] }),
    grpc: (key) => whileUnsent(() => grpc.trackUsage({ events: [eventOf(key)] })),
    stock: (key) => {
      const event = { metric: "API_CALL", amount: "1", customer_id: "ann", idempotency_key: key }; // as a descriptor names them
      return stock.call("trackUsage", { events: [event] }, { metadata });
    },
    change: (key) => connect.tenant.putCustomer({ customer: { id: key } }),
  };
}

/**
 * A client that hears GOAWAY while it has a stream to send refuses that one by itself. No server has seen it, so it is sent
 * on a new connection (RFC 9113, 8.7), as grpc-js does unasked.
 */
async function whileUnsent<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!causes(error).join().includes("NGHTTP2_REFUSED_STREAM")) throw error;
    return whileUnsent(call);
  }
}

interface Failure {
  kind: string;
  error: string;
  /** When the call was begun, in milliseconds after the signal. */
  after: number;
}

/**
 * Calls of all kinds until the server is gone. Some clients are behind a balancer, which asks /readyz and sends nothing more to
 * a server that is not ready; the others go on until they are refused.
 */
function startLoad(url: string, kinds: Record<string, Call>) {
  const acknowledged: Record<string, string[]> = {};
  const failures: Record<"balanced" | "stubborn", Failure[]> = { balanced: [], stubborn: [] };
  let stoppedAt = Number.POSITIVE_INFINITY;
  let ready = true;
  const balance = async () => {
    for (; ready; await pause(50)) ready = (await fetch(`${url}/readyz`)).ok;
  };
  const client = async (which: keyof typeof failures, kind: string, name: string) => {
    for (let n = 0; which === "stubborn" || ready; n++) {
      const began = performance.now();
      const key = `${kind}-${which}-${name}-${n}`;
      try {
        await kinds[kind]?.(key);
        acknowledged[kind] = [...(acknowledged[kind] ?? []), key];
      } catch (error) {
        failures[which].push({ kind, error: causes(error).join(": "), after: Math.round(began - stoppedAt) });
        return;
      }
    }
  };
  const running = Object.keys(kinds).flatMap((kind) =>
    Array.from({ length: EACH }, (_, place) => [
      client("balanced", kind, String(place)),
      client("stubborn", kind, String(place)),
    ]).flat(),
  );
  return {
    acknowledged,
    count: () => Object.values(acknowledged).reduce((sum, keys) => sum + keys.length, 0),
    stopping: () => {
      stoppedAt = performance.now();
    },
    ended: async () => {
      await Promise.all([balance(), ...running]);
      return failures;
    },
  };
}

function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const code = "code" in error ? ` ${error.code}` : "";
  return [`${error.message}${code}`, ...(error.cause ? causes(error.cause) : [])];
}

test("SIGTERM under load loses nothing that was acknowledged, and fails no call in flight", async () => {
  const harness = await setup({ config: { deliveryAllowedCidrs: ["127.0.0.0/8", "::1/128"] } });
  const { clients, ownerDb } = harness;
  const receiver = await startReceiver();
  receiver.behave((response) => void setTimeout(() => response.writeHead(204).end(), RECEIVER_MS));
  await clients.pricing.pushCatalog({ catalog });
  await clients.webhook.createEndpoint({ url: receiver.url, eventTypes: ["customer.created"] });
  const child = startUsageflow(["serve", "--json"], { env: serverEnv(harness, settings), signal: "SIGKILL" });
  const log = child.stderr.setEncoding("utf8").toArray();
  const { url } = await whenReady(child);
  const load = startLoad(url, await kinds(harness, url));
  while (load.count() < ACKNOWLEDGED_MIN || receiver.got.length < 10) await pause(10);
  load.stopping();
  child.kill("SIGTERM");
  const [failures] = await Promise.all([load.ended(), ended(child)]);

  expect({ code: child.exitCode, log: (await log).join("") }).toEqual({ code: 0, log: "" });
  expect(failures.balanced).toEqual([]);
  expect(failures.stubborn.filter(({ after }) => after <= 0)).toEqual([]); // in flight when the signal came
  expect(Object.keys(load.acknowledged).sort()).toEqual(["change", "connect", "grpc", "rest", "stock"]);
  const { change: customers = [], ...tracked } = load.acknowledged;
  const keys = new Set(Object.values(tracked).flat());
  const stored = await ownerDb.selectFrom("usage_event").select("idempotency_key").execute();
  const there = new Set(stored.map((row) => row.idempotency_key));
  expect([...keys].filter((key) => !there.has(key))).toEqual([]);
  const made = await ownerDb.selectFrom("customer").select("id").execute();
  expect(customers.filter((id) => made.every((row) => row.id !== id))).toEqual([]);

  const { rows } = await sql<{ held: bigint; attempts: bigint; processes: bigint }>`
    select (select count(*) from delivery_due where lease_token is not null) as held,
      (select count(*) from delivery_attempt) as attempts,
      (select count(*) from server_process) as processes`.execute(ownerDb);
  expect(rows).toEqual([{ held: 0n, attempts: BigInt(receiver.got.length), processes: 0n }]);
  expect(await doctorOf(harness)).toEqual([]);
}, 60_000);
