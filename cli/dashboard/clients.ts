import { type Client, createClient } from "@connectrpc/connect";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { connect } from "../client.ts";
import type { Settings } from "../settings.ts";

/** A client of each service. */
export interface Clients {
  readonly tenants: Client<typeof TenantService>;
  readonly pricing: Client<typeof PricingService>;
  readonly usage: Client<typeof UsageService>;
  readonly invoices: Client<typeof InvoiceService>;
  readonly webhooks: Client<typeof WebhookService>;
}

/** Clients over one connection. */
export function createClients(settings: Settings): Clients {
  const transport = connect(settings);
  return {
    tenants: createClient(TenantService, transport),
    pricing: createClient(PricingService, transport),
    usage: createClient(UsageService, transport),
    invoices: createClient(InvoiceService, transport),
    webhooks: createClient(WebhookService, transport),
  };
}
