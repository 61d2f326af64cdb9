import type { AddressInfo } from "node:net";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { InvoiceService } from "../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "./app.ts";
import {
  customerBillingMethods,
  invoiceService,
  subscriptionBillingMethods,
  usageBillingMethods,
} from "./invoice/service.ts";
import { metricsRoute } from "./observe/metrics-port.ts";
import { periodEdges } from "./pricing/period-edges.ts";
import { pricingService } from "./pricing/service.ts";
import { createReadinessCheck, type ReadinessCheck } from "./readiness.ts";
import { createAdmission } from "./rpc/admission.ts";
import { createAuthenticator } from "./rpc/authenticate.ts";
import { connectHandler } from "./rpc/connect.ts";
import { HealthState } from "./rpc/health.ts";
import type { Door } from "./rpc/interceptors.ts";
import { createOnePort, type OnePort } from "./rpc/one-port.ts";
import { plainRoutes } from "./rpc/plain-routes.ts";
import { registerReflection } from "./rpc/reflection.ts";
import { createRefusals } from "./rpc/refusals.ts";
import { Streams } from "./rpc/streams.ts";
import { tenantService } from "./tenant/service.ts";
import { usageService } from "./usage/service.ts";
import { trackLane } from "./usage/track-grpc.ts";
import { trackRoute } from "./usage/track-http.ts";
import { createTracker } from "./usage/track-usage.ts";
import { webhookService } from "./webhook/service.ts";

const services = [TenantService, PricingService, UsageService, InvoiceService, WebhookService];
const openServices = [Health, ServerReflection, ServerReflectionAlpha];

/** A listening API. */
export interface Api {
  url: string;
  port: number;
  /** Reads the certificate again, where there is one; the server does so by itself when the files change. */
  reloadTls(): Promise<void>;
  /** Says so to health checks, stops accepting, and lets calls in flight end. */
  close(): Promise<void>;
}

/** Starts the one port that speaks Connect, gRPC, gRPC-Web, `POST /api/track` and the health routes. */
export async function startApi(app: App, readiness = createReadinessCheck(app)): Promise<Api> {
  const door = createDoor(app);
  const { authenticator, admission } = door;
  const streams = new Streams(app, authenticator);
  const tracker = createTracker(app);
  const health = new HealthState(
    services.map((service) => service.typeName),
    readiness,
    { watchesMax: app.config.healthWatchesMax, authenticator },
  );
  const handler = connectHandler(app, door, {
    open: new Set(openServices.map((service) => service.typeName)),
    routes: (router) => {
      router.service(TenantService, tenantService(app, streams, customerBillingMethods(app)));
      router.service(PricingService, pricingService(app, subscriptionBillingMethods(app)));
      router.service(
        UsageService,
        usageService(app, streams, tracker, admission, usageBillingMethods(app), periodEdges),
      );
      router.service(InvoiceService, invoiceService(app, streams));
      router.service(WebhookService, webhookService(app, streams));
      health.register(router);
      if (app.config.reflection) registerReflection(router, [...services, ...openServices]);
    },
    fallback: plainRoutes(
      app,
      { readiness, authenticator },
      {
        "POST /api/track": trackRoute(app, door, tracker),
        ...(app.config.metricsToken === undefined ? {} : { "GET /metrics": metricsRoute(app) }),
      },
    ),
  });
  const port = await createOnePort(app, handler, trackLane(app, door, tracker));
  const address = await listenOn(app, port, app.config.port);
  return {
    ...address,
    reloadTls: async () => port.tls?.reload(),
    async close() {
      readiness.stop();
      health.stop();
      await port.retire(app.config.shutdownDelayMs);
      streams.stop();
      await port.close(app.config.shutdownGraceMs);
      await closeDoor(door);
    },
  };
}

function createDoor(app: App): Door {
  return { authenticator: createAuthenticator(app), refusals: createRefusals(app), admission: createAdmission(app) };
}

/** Once no call is under way: writes what is still to be written of those who came. */
async function closeDoor({ authenticator, refusals, admission }: Door): Promise<void> {
  admission.close();
  await Promise.all([authenticator.close(), refusals.settled()]);
}

/**
 * Starts a port for health alone, `/healthz`, `/readyz` and gRPC health, for a process that has no API. Undefined where none
 * is asked for.
 */
export async function startHealthPort(app: App, readiness: ReadinessCheck): Promise<Api | undefined> {
  if (app.config.healthPort === undefined) return undefined;
  const door = createDoor(app);
  const health = new HealthState([], readiness, {
    watchesMax: app.config.healthWatchesMax,
    authenticator: door.authenticator,
  });
  const handler = connectHandler(app, door, {
    open: new Set([Health.typeName]),
    routes: (router) => health.register(router),
    fallback: plainRoutes(app, { readiness, authenticator: door.authenticator }, {}),
  });
  const port = await createOnePort(app, handler, () => false);
  const address = await listenOn(app, port, app.config.healthPort);
  return {
    ...address,
    reloadTls: async () => port.tls?.reload(),
    async close() {
      readiness.stop();
      health.stop();
      await port.close(app.config.shutdownGraceMs);
      await closeDoor(door);
    },
  };
}

async function listenOn({ config }: App, { server }: OnePort, port: number): Promise<{ url: string; port: number }> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, config.host, resolve);
  });
  const address = server.address() as AddressInfo;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return { url: `${config.tls ? "https" : "http"}://${host}:${address.port}`, port: address.port };
}
