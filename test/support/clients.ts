import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";

export interface Clients {
  tenant: Client<typeof TenantService>;
  pricing: Client<typeof PricingService>;
  usage: Client<typeof UsageService>;
  invoice: Client<typeof InvoiceService>;
  webhook: Client<typeof WebhookService>;
}

/** The generated clients over Connect, with an API key, or a member's access token and a tenant. */
export function createClients(baseUrl: string, secret: string, tenant?: string): Clients {
  const withKey: Interceptor = (next) => (request) => {
    request.header.set("x-usageflow-api-key", secret);
    if (tenant) request.header.set("x-usageflow-tenant", tenant);
    return next(request);
  };
  return clientsOver(createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: [withKey] }));
}

/** The generated clients over a transport. */
export function clientsOver(transport: Transport): Clients {
  const client = <S extends DescService>(service: S) => createClient(service, transport);
  return {
    tenant: client(TenantService),
    pricing: client(PricingService),
    usage: client(UsageService),
    invoice: client(InvoiceService),
    webhook: client(WebhookService),
  };
}
