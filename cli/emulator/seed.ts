import type { Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { ErrorReasonSchema } from "../../gen/usageflow/v1/error_pb.ts";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { SeedSchema } from "../../gen/usageflow/v1/seed_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { type UsageEvent, UsageOutcome, type UsageResult } from "../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { type MessageFile, parseMessage, readText } from "../catalog/message-file.ts";
import { CliError } from "../cli-error.ts";
import { demoCatalog } from "../demo/demo-catalog.ts";
import { demoUsage } from "../demo/demo-usage.ts";
import { failureOf } from "../errors.ts";

/** What is put into a tenant, and the way back from an error of the server's to the line at fault. */
export type Seed = MessageFile<typeof SeedSchema>;

/** How much was put into a tenant. */
export interface Seeded {
  customers: number;
  subscriptions: number;
  usage: number;
}

const BATCH_EVENTS_MAX = 1_000; // the contract's limit

/** Reads a seed file, or stdin for `-`. Throws one error that names every problem with its place. */
export async function readSeedFile(name: string): Promise<Seed> {
  return parseMessage(SeedSchema, await readText(name), name);
}

/** The demo's tenant: its catalog, and a month of usage, which makes its customers. */
export function exampleSeed(): Seed {
  const seed = parseMessage(SeedSchema, `catalog:\n${demoCatalog.replaceAll(/^/gm, "  ")}`, "example");
  return { ...seed, message: { ...seed.message, usage: demoUsage() } };
}

/** Puts it all into a tenant by the calls that anybody can make, in the order of the file. */
export async function sow({ message, placed }: Seed, transport: Transport): Promise<Seeded> {
  const tenants = createClient(TenantService, transport);
  const pricing = createClient(PricingService, transport);
  const { catalog, customers, subscriptions, usage } = message;
  /** One call after the other, so that the order of the file is the order of what happens. */
  const place = async (call: Promise<unknown>, sent: string, at: string) => {
    await call.catch(async (error) => {
      const { field, reason, message } = await failureOf(error);
      // What no field is to blame for stands where the whole does.
      if (field === "" && reason !== "") throw placed(new CliError("failed", message, { field: at, reason }), at, at);
      throw placed(error, sent, at);
    });
  };
  if (catalog) await place(pricing.pushCatalog({ catalog, force: true }), "catalog", "catalog");
  for (const [at, customer] of customers.entries()) {
    await place(tenants.putCustomer({ customer }), "customer", `customers[${at}]`);
  }
  for (const [at, subscription] of subscriptions.entries()) {
    await place(pricing.startSubscription(subscription), "", `subscriptions[${at}]`);
  }
  for (let from = 0; from < usage.length; from += BATCH_EVENTS_MAX) {
    await place(track(transport, usage.slice(from, from + BATCH_EVENTS_MAX), from, placed), "none", "usage");
  }
  return { customers: customers.length, subscriptions: subscriptions.length, usage: usage.length };
}

async function track(transport: Transport, events: UsageEvent[], from: number, placed: Seed["placed"]): Promise<void> {
  const usage = createClient(UsageService, transport);
  const { results } = await usage.trackUsage({ events, backfill: true }).catch((error) => {
    throw placed(error, "events", `usage from ${from}`);
  });
  for (const [at, result] of results.entries()) {
    const isStored = result.outcome === UsageOutcome.ACCEPTED || result.outcome === UsageOutcome.DUPLICATE;
    if (!isStored) throw placed(refused(result), "", `usage[${from + at}]`);
  }
}

function refused({ message, field, reason }: UsageResult): CliError {
  const name = ErrorReasonSchema.value[reason]?.name.replace("ERROR_REASON_", "") ?? "";
  return new CliError("failed", message, { field, reason: name });
}
