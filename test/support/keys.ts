import { type Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";
import type { Clients } from "./clients.ts";

/** A key of the role, made by its tenant's owner. */
export async function keyOf(clients: Clients, role: Role): Promise<string> {
  return (await clients.tenant.createApiKey({ role })).secret;
}

/** All roles that a key can have. */
export const roles = RoleSchema.values.map((value) => value.number as Role).filter((role) => role !== 0);
