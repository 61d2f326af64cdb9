import { ConnectError, createClient } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReason } from "../gen/usageflow/v1/error_pb.ts";
import { RoleSchema } from "../gen/usageflow/v1/permission_pb.ts";
import { TenantKindSchema } from "../gen/usageflow/v1/tenant_pb.ts";
import { type GetTenantResponse, TenantService } from "../gen/usageflow/v1/tenant_service_pb.ts";
import { connect } from "./client.ts";
import { facts } from "./output/table.ts";
import { word } from "./output/text.ts";
import type { Settings } from "./settings.ts";

/** Who a command is for the server that it calls. What a key may not know of itself is empty. */
export interface WhoAmI {
  url: string;
  /** Name of the profile; `emulator`; empty when flags or variables said all. */
  profile: string;
  organization: string;
  tenant: string;
  /** `live` or `test`. */
  kind: string;
  /** The member's address. Empty: it is an API key. */
  member: string;
  /** The key or the access token: its start and end, never the whole. */
  key: string;
  keyId: string;
  keyName: string;
  role: string;
}

/** Asks the server. A key that only sends usage is good, and may not ask; a token without a tenant asks of the organization. */
export async function whoAmI(settings: Settings): Promise<WhoAmI> {
  const { url, apiKey, tenant: named, profile } = settings;
  const kind = /^uf_(live|test)_/.exec(apiKey)?.[1] ?? "";
  const unknown = { organization: "", tenant: "", member: "", keyId: "", keyName: "" };
  const known = { url, profile, key: `${apiKey.slice(0, "uf_test_0352".length)}...${apiKey.slice(-4)}` };
  try {
    const service = createClient(TenantService, connect(settings));
    if (named === "" && apiKey.startsWith("uf_pat_")) {
      const { organization, ...who } = await service.getOrganization({});
      return { ...known, ...ofMember(who), organization: organization?.name ?? "", tenant: "", kind: "" };
    }
    const { tenant, apiKey: key, ...who } = await service.getTenant({});
    return {
      ...known,
      ...ofMember(who),
      organization: tenant?.organization ?? "",
      tenant: tenant?.id ?? "",
      kind: tenant ? word(TenantKindSchema, tenant.kind) : kind,
      ...(key && { key: key.prefix, keyId: key.id, keyName: key.name, role: word(RoleSchema, key.role) }),
    };
  } catch (error) {
    if (!lacksPermission(error)) throw error;
    return { ...known, ...unknown, kind, role: "ingest" };
  }
}

/** Whether the key is good, and its role alone is in the way: it is refused for its address or its kind in the same code. */
function lacksPermission(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.findDetails(ErrorDetailSchema).some(({ reason }) => reason === ErrorReason.PERMISSION_DENIED);
}

function ofMember({ member, accessToken }: Pick<GetTenantResponse, "member" | "accessToken">) {
  return {
    member: member?.email ?? "",
    ...(accessToken && { key: accessToken.prefix }),
    keyId: accessToken?.id ?? "",
    keyName: accessToken?.name ?? "",
    role: member ? word(RoleSchema, member.role) : "",
  };
}

/** The same for people. */
export function whoAmIText(who: WhoAmI): string {
  return facts({
    URL: who.url,
    Profile: who.profile,
    Organization: who.organization,
    Tenant: who.tenant,
    Kind: who.kind,
    Member: who.member,
    Role: who.role,
    Key: [who.key, who.keyName].filter((text) => text !== "").join("  "),
    "Key id": who.keyId,
  });
}
