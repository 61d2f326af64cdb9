import type { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import { RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import type { Harness, Organization } from "./harness.ts";

/** All roles that a member can have. */
export const memberRoles = RoleSchema.values
  .filter(({ name }) => !/_(UNSPECIFIED|INGEST)$/.test(name))
  .map((value) => value.number as Role);

let count = 0;

/** A member of the role with an access token, invited by the organization's first owner. */
export async function memberOf(
  { clientsFor }: Pick<Harness, "clientsFor">,
  { ownerToken }: Pick<Organization, "ownerToken">,
  role: Role,
): Promise<{ id: string; token: string }> {
  const email = `member-${++count}@example.com`;
  const { code, member } = await clientsFor(ownerToken).tenant.inviteMember({ email, role });
  const { secret } = await clientsFor(code).tenant.acceptInvite({});
  return { id: member?.id ?? "", token: secret };
}
