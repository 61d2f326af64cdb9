import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { Place, place } from "../../gen/usageflow/v1/permission_pb.ts";
import { formatId } from "../id.ts";
import type { Caller, MemberToken } from "./caller.ts";
import { forbidden, invalid, notFound } from "./errors.ts";

// The contract says of each method where it runs, and so what a caller must come with.

const TENANT_HEADER = "x-usageflow-tenant";

const places = new Map<DescMethod, Place>(); // reading an option decodes it anew each time

/** Where a method runs. */
export function placeOf(method: DescMethod): Place {
  const known = places.get(method);
  if (known !== undefined) return known;
  const found = getOption(method, place);
  places.set(method, found);
  return found;
}

/** The tenant that a request names. */
export function tenantNamed(header: (name: string) => string | null | undefined): string | undefined {
  return header(TENANT_HEADER) || undefined;
}

/** The caller at the place where the method runs; `named` is the tenant that the request names. Refuses who does not belong there. */
export function atPlace(caller: Caller, method: DescMethod, named: string | undefined): Caller {
  const runsAt = placeOf(method);
  const isTenants = runsAt === Place.UNSPECIFIED || runsAt === Place.EITHER;
  const { credential } = caller;
  switch (credential?.kind) {
    case undefined:
      if (isTenants) return atOwnTenant(caller, named);
      break;
    case "ACCESS_TOKEN":
      if (runsAt === Place.ORGANIZATION || (runsAt === Place.EITHER && !named)) return caller;
      if (isTenants) return atTenant(caller, credential, named);
      break;
    case "INVITE":
      if (runsAt === Place.INVITE) return caller;
      break;
    case "OPERATOR_KEY":
      if (runsAt === Place.SERVER) return caller;
      break;
  }
  throw forbidden(`${method.name} takes ${TAKEN[runsAt]} only`);
}

const TAKEN: Record<Place, string> = {
  [Place.UNSPECIFIED]: "an API key, or a member's access token (uf_pat_...),",
  [Place.ORGANIZATION]: "a member's access token (uf_pat_...)",
  [Place.EITHER]: "an API key, or a member's access token (uf_pat_...),",
  [Place.SERVER]: "the operator's key",
  [Place.INVITE]: "the code of an invite (uf_inv_...)",
};

/** An API key is of one tenant: a request that names another is about nothing that there is. */
function atOwnTenant(caller: Caller, named: string | undefined): Caller {
  if (named && !isNamed({ id: caller.tenantId, kind: caller.kind }, named)) throw notFound("tenant", named);
  return caller;
}

function atTenant(caller: Caller, token: MemberToken, named: string | undefined): Caller {
  if (!named) {
    throw invalid(TENANT_HEADER, `${TENANT_HEADER}: an access token needs a tenant here: live, test or ten_...`);
  }
  const tenant = token.tenants.find((one) => isNamed(one, named));
  if (!tenant) throw notFound("tenant", named);
  return { ...caller, tenantId: tenant.id, kind: tenant.kind };
}

function isNamed(tenant: { id: string; kind: string }, named: string): boolean {
  return named === tenant.kind.toLowerCase() || named === formatId("ten", tenant.id);
}
