import { type DescMethod, getOption } from "@bufbuild/protobuf";
import { grants, permission, type Role, RoleSchema } from "../../gen/usageflow/v1/permission_pb.ts";

// The contract says who may do what: each method names its permission, each role its grants. This file only reads them.

const grantsOf = new Map<Role, readonly string[]>(
  RoleSchema.values.map((value) => [value.number as Role, getOption(value, grants)]),
);

const permissions = new Map<DescMethod, string>(); // reading an option decodes it anew each time

/** The permission that a method needs. Empty: nobody may call it. */
export function permissionOf(method: DescMethod): string {
  const known = permissions.get(method);
  if (known !== undefined) return known;
  const needed = getOption(method, permission);
  permissions.set(method, needed);
  return needed;
}

/** Whether a role has a permission. */
export function allows(role: Role, needed: string): boolean {
  return (grantsOf.get(role) ?? []).some((grant) => matches(grant, needed));
}

/** Whether `role` may do everything that `other` may. */
export function covers(role: Role, other: Role): boolean {
  const own = grantsOf.get(role) ?? [];
  return (grantsOf.get(other) ?? []).every((needed) => own.some((grant) => grant === needed || matches(grant, needed)));
}

function matches(grant: string, needed: string): boolean {
  return grant === "*" || grant === needed || (grant === "*:read" && needed.endsWith(":read"));
}
