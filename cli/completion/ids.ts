import { createClient } from "@connectrpc/connect";
import { PricingService } from "../../gen/usageflow/v1/pricing_service_pb.ts";
import { TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { WebhookService } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import { connect } from "../client.ts";
import { EMULATOR, readProfiles } from "../profiles.ts";
import { readSettings, type SettingsFor } from "../settings.ts";
import type { Candidate } from "./complete.ts";

/** A person waits: rather nothing than late. */
const PATIENCE = { timeoutMs: 1_500 };

/** What the server, or the file of profiles, has for a flag or an argument of this name. Of others, nothing is known. */
export async function idsOf(given: string, words: readonly string[]): Promise<Candidate[]> {
  const name = given === "key" && words[0] === "keys" ? "api key" : given; // elsewhere a key is that of an event
  if (name === "profile") {
    const { profiles } = await readProfiles();
    const known = Object.entries(profiles).map(([value, { url }]) => ({ value, about: url }));
    return [...known, { value: EMULATOR, about: "the emulator that was started last" }];
  }
  const read = READERS[name];
  if (read) return read(await transportOf(words, "tenant"));
  const ofOrganization = OF_ORGANIZATION[name];
  return ofOrganization ? ofOrganization(await transportOf(words, "organization")) : [];
}

type Transport = ReturnType<typeof connect>;

type Reader = (transport: Transport) => Promise<Candidate[]>;

const READERS: Record<string, Reader> = {
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
  async "api key"(transport) {
    const { apiKeys } = await createClient(TenantService, transport).listApiKeys({}, PATIENCE);
    const alive = apiKeys.filter(({ revokedAt }) => !revokedAt);
    return alive.map(({ id, name, prefix }) => ({ value: id, about: oneLine(name || prefix) }));
  },
};

const OF_ORGANIZATION: Record<string, Reader> = {
  async member(transport) {
    const { members } = await createClient(TenantService, transport).listMembers({}, PATIENCE);
    return members.map(({ id, email }) => ({ value: id, about: oneLine(email) }));
  },
  async token(transport) {
    const { accessTokens } = await createClient(TenantService, transport).listAccessTokens({}, PATIENCE);
    const alive = accessTokens.filter(({ revokedAt }) => !revokedAt);
    return alive.map(({ id, name, prefix }) => ({ value: id, about: oneLine(name || prefix) }));
  },
};

async function transportOf(words: readonly string[], about: SettingsFor): Promise<Transport> {
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
  return connect(await readSettings(flags, words, () => {}, about));
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}
