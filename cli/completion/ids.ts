import { createClient } from "@connectrpc/connect";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { connect } from "../client.ts";
import { EMULATOR, readProfiles } from "../profiles.ts";
import { readSettings } from "../settings.ts";
import type { Candidate } from "./complete.ts";

/** A person waits: rather nothing than late. */
const PATIENCE = { timeoutMs: 1_500 };

/** What the server, or the file of profiles, has for a flag or an argument of this name. Of others, nothing is known. */
export async function idsOf(name: string, words: readonly string[]): Promise<Candidate[]> {
  if (name === "profile") {
    const { profiles } = await readProfiles();
    const known = Object.entries(profiles).map(([value, { url }]) => ({ value, about: url }));
    return [...known, { value: EMULATOR, about: "the emulator that was started last" }];
  }
  const read = READERS[name];
  return read ? read(await transportOf(words)) : [];
}

type Transport = ReturnType<typeof connect>;

const READERS: Record<string, (transport: Transport) => Promise<Candidate[]>> = {
  async metric(transport) {
    const { catalog } = await createClient(PricingService, transport).pullCatalog({}, PATIENCE);
    return (catalog?.metrics ?? []).map(({ key, name }) => ({ value: key, about: oneLine(name) }));
  },
  async plan(transport) {
    const { plans } = await createClient(PricingService, transport).listPlans({}, PATIENCE);
    return plans.map(({ key, name }) => ({ value: key, about: oneLine(name) }));
  },
  async endpoint(transport) {
    const { endpoints } = await createClient(WebhookService, transport).listEndpoints({}, PATIENCE);
    return endpoints.map(({ id, url }) => ({ value: id, about: oneLine(url) }));
  },
};

async function transportOf(words: readonly string[]): Promise<Transport> {
  const given = (name: string, variable: string | undefined) => {
    const at = words.findLastIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
    if (at < 0) return variable || undefined;
    return words[at]?.includes("=") ? words[at].slice(name.length + 3) : words[at + 1];
  };
  const { USAGEFLOW_URL, USAGEFLOW_API_KEY, USAGEFLOW_TENANT, USAGEFLOW_PROFILE } = process.env;
  const flags = {
    url: given("url", USAGEFLOW_URL),
    "api-key": given("api-key", USAGEFLOW_API_KEY),
    tenant: given("tenant", USAGEFLOW_TENANT),
    profile: given("profile", USAGEFLOW_PROFILE),
  };
  return connect(await readSettings(flags, words, () => {}));
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}
