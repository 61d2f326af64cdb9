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
import { createAuthenticator } from "./rpc/authenticate.ts";
import { connectHandler } from "./rpc/connect.ts";
import { HealthState } from "./rpc/health.ts";
import { createOnePort } from "./rpc/one-port.ts";
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
  /** Says so to health checks, stops accepting, and lets calls in flight end. */
  close(): Promise<void>;
}

/** Starts the one port that speaks Connect, gRPC, gRPC-Web, `POST /api/track` and the health routes. */
export async function startApi(app: App): Promise<Api> {
  const authenticator = createAuthenticator(app);
  const refusals = createRefusals(app);
  const streams = new Streams(app, authenticator);
  const tracker = createTracker(app);
  const health = new HealthState(services.map((service) => service.typeName));
  const handler = connectHandler(app, authenticator, refusals, {
    open: new Set(openServices.map((service) => service.typeName)),
    routes: (router) => {
      router.service(TenantService, tenantService(app, streams, customerBillingMethods(app)));
      router.service(PricingService, pricingService(app, subscriptionBillingMethods(app)));
      router.service(UsageService, usageService(app, streams, tracker, usageBillingMethods(app), periodEdges));
      router.service(InvoiceService, invoiceService(app, streams));
      router.service(WebhookService, webhookService(app, streams));
      health.register(router);
      registerReflection(router, [...services, ...openServices]);
    },
    fallback: plainRoutes(app, {
      "POST /api/track": trackRoute(app, authenticator, refusals, tracker),
      ...(app.config.metricsToken === undefined ? {} : { "GET /metrics": metricsRoute(app) }),
    }),
  });
  const port = createOnePort(handler, trackLane(app, authenticator, refusals, tracker));
  await new Promise<void>((resolve, reject) => {
    port.server.once("error", reject);
    port.server.listen(app.config.port, app.config.host, resolve);
  });
  const address = port.server.address() as AddressInfo;
  const host = app.config.host.includes(":") ? `[${app.config.host}]` : app.config.host;
  return {
    url: `http://${host}:${address.port}`,
    port: address.port,
    async close() {
      health.stop();
      streams.stop();
      await port.close(app.config.shutdownGraceMs);
      await Promise.all([authenticator.close(), refusals.settled()]);
    },
  };
}
