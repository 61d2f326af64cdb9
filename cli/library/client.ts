import type { DescService } from "@bufbuild/protobuf";
import {
  createClient as createServiceClient,
  type Interceptor,
  type Client as ServiceClient,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { type Access, openDoor } from "./access.ts";
import { asUsageFlowError } from "./call-error.ts";
import { safeCalls } from "./safe-calls.ts";
import type { Waits } from "./waits.ts";

/** The five services of the contract. Each method throws a `UsageFlowError`. */
export interface Client {
  /** Organization, tenant, clock, API keys, customers, audit log. */
  tenant: ServiceClient<typeof TenantService>;
  /** Catalog, plans, subscriptions, discounts. */
  pricing: ServiceClient<typeof PricingService>;
  /** Usage: sent, asked about, voided. For a hot path take `createTracker`. */
  usage: ServiceClient<typeof UsageService>;
  /** Invoices, credit notes, credits. */
  invoice: ServiceClient<typeof InvoiceService>;
  /** Endpoints, events, deliveries. */
  webhook: ServiceClient<typeof WebhookService>;
}

/** How calls are made. */
export interface CallOptions {
  /** Default: `connect`, over HTTP/1.1, which every proxy lets through. `grpc` needs HTTP/2 all the way. */
  protocol?: "connect" | "grpc";
  /** How long one call may take, its retries included. Default: 60,000. One call's own `timeoutMs` goes before it. */
  timeoutMs?: number;
  /** Attempts of one call, the first included. Default: 4. */
  attemptsMax?: number;
  /** The waits between attempts. Default: 200 ms after the first failure, up to 10 s. */
  retryWaits?: Waits;
}

/** Which server is called, as whom, and how. */
export type ClientOptions = Access & CallOptions;

const TIMEOUT_MS = 60_000;
const ATTEMPTS_MAX = 4;
const WAITS: Waits = { firstMs: 200, maxMs: 10_000 };

/**
 * Opens the API of a server. Calls that change something carry an `idempotency-key`, made here unless you set the header,
 * and what fails in passing is tried again with the same one: an answer that was lost does not do a thing twice. It need
 * not be closed.
 */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  return {
    tenant: createService(TenantService, transport),
    pricing: createService(PricingService, transport),
    usage: createService(UsageService, transport),
    invoice: createService(InvoiceService, transport),
    webhook: createService(WebhookService, transport),
  };
}

/** One service alone, for bundles that are to be small: `createService(UsageService, createTransport({ url, apiKey }))`. */
export function createService<S extends DescService>(service: S, transport: Transport): ServiceClient<S> {
  const plain = createServiceClient(service, transport) as Record<string, Method>;
  const told = service.methods.map(({ localName, methodKind }) => {
    const method = plain[localName] as Method;
    return [localName, methodKind === "unary" ? tellingUnary(method) : tellingStream(method)];
  });
  return Object.fromEntries(told) as ServiceClient<S>;
}

/** The way to a server, for `createService`. */
export function createTransport(options: ClientOptions): Transport {
  const { baseUrl, headers } = openDoor(options);
  const { protocol = "connect", timeoutMs = TIMEOUT_MS, attemptsMax = ATTEMPTS_MAX, retryWaits = WAITS } = options;
  const who: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  const common = {
    baseUrl,
    defaultTimeoutMs: timeoutMs,
    interceptors: [who, safeCalls({ attemptsMax, waits: retryWaits })],
  };
  return protocol === "grpc"
    ? createGrpcTransport(common)
    : createConnectTransport({ ...common, httpVersion: "1.1", useBinaryFormat: true });
}

type Method = (...args: unknown[]) => unknown;

function tellingUnary(method: Method): Method {
  return async (...args) => {
    try {
      return await method(...args);
    } catch (error) {
      throw asUsageFlowError(error);
    }
  };
}

function tellingStream(method: Method): Method {
  return async function* (...args) {
    try {
      yield* method(...args) as AsyncIterable<unknown>;
    } catch (error) {
      throw asUsageFlowError(error);
    }
  };
}
