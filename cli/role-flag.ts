import { Role } from "../gen/usageflow/v1/permission_pb.ts";

/** The roles that a member can have, by their names on a command line. */
export const MEMBER_ROLES = {
  owner: Role.OWNER,
  admin: Role.ADMIN,
  developer: Role.DEVELOPER,
  billing: Role.BILLING,
  viewer: Role.VIEWER,
};

/** Their names. */
export const memberRoleNames = Object.keys(MEMBER_ROLES) as (keyof typeof MEMBER_ROLES)[];

/** The roles that an API key can have. */
export const KEY_ROLES = { ...MEMBER_ROLES, ingest: Role.INGEST };

/** Their names. */
export const keyRoleNames = Object.keys(KEY_ROLES) as (keyof typeof KEY_ROLES)[];
