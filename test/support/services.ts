import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";

/** All services of the contract. */
export const services = [TenantService, PricingService, UsageService, InvoiceService, WebhookService];
