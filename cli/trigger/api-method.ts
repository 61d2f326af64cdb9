import {
  type DescMethodUnary,
  type DescService,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { InvoiceService } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { bare } from "../output/json.ts";

const services: readonly DescService[] = [TenantService, PricingService, UsageService, InvoiceService, WebhookService];

/** A method by its name, such as `TenantService.PutCustomer`. */
export function methodOf(call: string): DescMethodUnary {
  const [serviceName, name] = call.split(".");
  const method = services.find((one) => one.name === serviceName)?.methods.find((one) => one.name === name);
  if (method?.methodKind === "unary") return method as DescMethodUnary;
  throw new Error(`there is no method ${call}`);
}

/** Calls a method with a request as JSON, and answers its answer as JSON. */
export async function callMethod(transport: Transport, call: string, request: JsonObject): Promise<JsonObject> {
  const { input, output, localName, parent } = methodOf(call);
  const client = createClient(parent, transport) as Record<string, (message: unknown) => Promise<unknown>>;
  const answer = await client[localName]?.(fromJson(input, request));
  return bare(output, answer as MessageShape<typeof output>) as Record<string, JsonValue>;
}
