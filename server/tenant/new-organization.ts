import type { Selectable } from "kysely";
import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { enterTenant, type Tx } from "../db/database.ts";
import type {
  AccessToken as AccessTokenRow,
  Member as MemberRow,
  Organization as OrganizationRow,
} from "../db/tables.ts";
import { newId, newMemberId } from "../id.ts";
import { takeKeys } from "../used-keys.ts";
import { newAccessTokenRow } from "./access-token.ts";
import { newApiKeyRow } from "./api-key.ts";
import { normalEmail } from "./member.ts";
import { makeSecret, readSecret, type TenantKindName } from "./secret-text.ts";

// The first owner's token: there is nobody yet who could help them to another.
const OWNER_TOKEN_MS = 365 * 24 * 60 * 60 * 1_000;

/** An organization to make. */
export interface OrganizationToMake {
  id: string;
  name: string;
  ownerEmail: string;
  /** Where the test tenant's clock stands. Left out: it goes. */
  testClock?: Date;
  /** A key that the test tenant had before: it is the tenant that it was. */
  testKey?: string;
}

/** A tenant that was made, and the key of its owner: shown here and nowhere else. */
export interface NewTenant {
  tenantId: string;
  secret: string;
}

/** What was made. */
export interface NewOrganization {
  organization: Selectable<OrganizationRow>;
  live: NewTenant;
  test: NewTenant;
  owner: Selectable<MemberRow>;
  token: Selectable<AccessTokenRow>;
  /** The token itself. */
  ownerToken: string;
}

/** Writes an organization with its two tenants, a key of the owner role for each, and its first owner with a token. */
export async function insertOrganization(
  tx: Tx,
  app: Pick<App, "secrets" | "clock">,
  { id, name, ownerEmail, testClock, testKey }: OrganizationToMake,
): Promise<NewOrganization> {
  const now = app.clock.now();
  const organization = { id, name, created_at: now, delete_after: null };
  await takeKeys(tx, app);
  await enterTenant(tx, id);
  await tx.insertInto("organization").values(organization).execute();
  const tenants = { live: newTenant("LIVE"), test: newTenant("TEST", testKey) };
  for (const { kind, tenantId } of Object.values(tenants)) {
    const clock = kind === "TEST" ? (testClock ?? null) : null;
    await tx
      .insertInto("tenant")
      .values({ tenant_id: tenantId, organization_id: id, kind, created_at: now, clock_frozen_at: clock })
      .execute();
  }
  const owner = firstOwner(id, ownerEmail, now);
  const ownerToken = makeSecret("TOKEN", id);
  const token = newAccessTokenRow(app, {
    ...{ organizationId: id, memberId: owner.id, name: "first token", secret: ownerToken },
    expiresAt: plusMs(now, OWNER_TOKEN_MS),
  });
  await tx.insertInto("member").values(owner).execute();
  await tx.insertInto("access_token").values(token).execute();
  for (const { tenantId, secret } of Object.values(tenants)) {
    await enterTenant(tx, tenantId);
    const key = { tenantId, id: newId(), name: "first key", role: Role.OWNER, secret };
    await tx.insertInto("api_key").values(newApiKeyRow(app, key)).execute();
  }
  await enterTenant(tx, id);
  return { organization, ...tenants, owner, token, ownerToken };
}

function newTenant(kind: TenantKindName, secret?: string): NewTenant & { kind: TenantKindName } {
  const tenantId = newId();
  const before = secret === undefined ? undefined : readSecret(secret);
  if (secret && before?.kind === kind) return { kind, tenantId: before.place, secret };
  return { kind, tenantId, secret: makeSecret(kind, tenantId) };
}

function firstOwner(organizationId: string, email: string, now: Date): Selectable<MemberRow> {
  return {
    organization_id: organizationId,
    id: newMemberId(),
    email: normalEmail(email),
    name: "",
    role: "OWNER",
    invited_at: now,
    invited_by: null,
    invite_hash: null,
    invite_pepper_id: null,
    invite_expires_at: null,
    joined_at: now,
  };
}
