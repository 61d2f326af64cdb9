import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { grants, Place, permission, place, Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import { formatId } from "../../server/id.ts";
import type { Harness, Organization } from "./harness.ts";
import { keyOf, roles } from "./keys.ts";
import { memberOf, memberRoles } from "./members.ts";
import { SERVER_KEYS } from "./secret-scan.ts";

/** What a caller comes with, and the role that it has. */
export interface SomeCaller {
  name: string;
  headers: Record<string, string>;
  role: Role;
  /** At which of the contract's places it may be, and what it is told elsewhere. */
  at: Partial<Record<Place, true>>;
  elsewhere: "permission_denied" | "not_found" | "invalid_argument";
}

const TENANTS = { [Place.UNSPECIFIED]: true, [Place.EITHER]: true } as const;
const OWN = { [Place.ORGANIZATION]: true } as const;

/** Everybody whom the contract knows, at their own things, at those of another organization's, and at none. */
export async function everybody(harness: Harness, other: Organization): Promise<SomeCaller[]> {
  const { clients, clientsFor, tenant } = harness;
  const foreign = formatId("ten", other.testId);
  const key = (secret: string, named?: string) => ({
    "x-usageflow-api-key": secret,
    ...(named ? { "x-usageflow-tenant": named } : {}),
  });
  const of = (role: Role) => RoleSchema.value[role]?.localName.toLowerCase();
  const keys = roles.map(async (role): Promise<SomeCaller[]> => {
    const secret = await keyOf(clients, role);
    return [
      { name: `key of ${of(role)}`, headers: key(secret), role, at: TENANTS, elsewhere: "permission_denied" },
      { name: `key of ${of(role)}, elsewhere`, headers: key(secret, foreign), role, at: {}, elsewhere: "not_found" },
    ];
  });
  const tokens = memberRoles.map(async (role): Promise<SomeCaller[]> => {
    const { token } = await memberOf(harness, tenant, role);
    const at = { ...TENANTS, ...OWN };
    const none = { ...OWN, [Place.EITHER]: true } as const;
    const name = `token of ${of(role)}`;
    return [
      { name, headers: key(token, "test"), role, at, elsewhere: "permission_denied" },
      { name: `${name}, elsewhere`, headers: key(token, foreign), role, at: OWN, elsewhere: "not_found" },
      { name: `${name}, nowhere`, headers: key(token), role, at: none, elsewhere: "invalid_argument" },
    ];
  });
  const invite = { email: "somebody@example.com", role: Role.OWNER };
  const { code } = await clientsFor(tenant.ownerToken).tenant.inviteMember(invite);
  const operator = key(SERVER_KEYS.operator.toString("base64"));
  return [
    ...(await Promise.all([...keys, ...tokens])).flat(),
    ...([
      { name: "invite", headers: key(code), at: { [Place.INVITE]: true } },
      { name: "operator", headers: operator, at: { [Place.SERVER]: true } },
    ].map((one) => ({ ...one, role: Role.OWNER, elsewhere: "permission_denied" })) as SomeCaller[]),
  ];
}

/** What the contract says, read here a second time. */
export function mayCall(role: Role, needed: string): boolean {
  const granted = RoleSchema.values
    .filter((value) => value.number === role)
    .flatMap((value) => getOption(value, grants));
  return granted.includes("*") || granted.includes(needed) || (granted.includes("*:read") && /:read$/.test(needed));
}

/** What the contract has the server answer, besides what a method says itself. */
export function expected(caller: SomeCaller, method: DescMethod): string {
  const runsAt = getOption(method, place);
  if (caller.at[runsAt]) return mayCall(caller.role, getOption(method, permission)) ? "let in" : "permission_denied";
  return [Place.ORGANIZATION, Place.SERVER, Place.INVITE].some((one) => one === runsAt)
    ? "permission_denied"
    : caller.elsewhere;
}
