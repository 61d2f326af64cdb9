import { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import type { App } from "../app.ts";
import { enterTenant, openDatabase } from "../db/database.ts";
import { newId } from "../id.ts";
import { makeSecret, newApiKeyRow, readSecret, type TenantKindName } from "./api-key.ts";

/** A tenant that was made, and the key of its owner: shown here and nowhere else. */
export interface NewTenant {
  tenantId: string;
  secret: string;
}

/**
 * Makes an organization with its two tenants and a key of the owner role for each, whole or not at all. As the owner of
 * the schema: the application's own role can make no tenants. With `testClock`, the test tenant's clock stands there; with `testKey`, a key
 * that it had before, it is the tenant that it was.
 */
export async function createOrganization(
  ownerUrl: string,
  app: Pick<App, "secrets" | "clock">,
  organization: { name: string; testClock?: Date; testKey?: string },
): Promise<{ live: NewTenant; test: NewTenant }> {
  const { db } = openDatabase({
    url: ownerUrl,
    connectionsMax: 1,
    statementTimeoutMs: 30_000,
    onIdleError: () => {},
  });
  const organizationId = newId();
  const now = app.clock.now();
  const tenants = { live: newTenant("LIVE"), test: newTenant("TEST", organization.testKey) };
  try {
    await db.transaction().execute(async (tx) => {
      await tx
        .insertInto("organization")
        .values({ id: organizationId, name: organization.name, created_at: now })
        .execute();
      for (const { kind, tenantId, secret } of Object.values(tenants)) {
        await tx
          .insertInto("tenant")
          .values({
            tenant_id: tenantId,
            organization_id: organizationId,
            kind,
            created_at: now,
            clock_frozen_at: kind === "TEST" ? (organization.testClock ?? null) : null,
          })
          .execute();
        await enterTenant(tx, tenantId);
        const key = { tenantId, id: newId(), name: "first key", role: Role.OWNER, secret };
        await tx.insertInto("api_key").values(newApiKeyRow(app, key)).execute();
      }
    });
  } finally {
    await db.destroy();
  }
  return tenants;
}

function newTenant(kind: TenantKindName, secret?: string): NewTenant & { kind: TenantKindName } {
  const tenantId = newId();
  const before = secret === undefined ? undefined : readSecret(secret);
  if (secret && before?.kind === kind) return { kind, tenantId: before.tenantId, secret };
  return { kind, tenantId, secret: makeSecret(kind, tenantId) };
}
