import type { App } from "../app.ts";
import { openDatabase } from "../db/database.ts";
import { newId } from "../id.ts";
import { insertOrganization, type NewOrganization, type OrganizationToMake } from "./new-organization.ts";

/** Who the first owner is, where nobody says. */
export const DEFAULT_OWNER = "owner@localhost";

/** Makes an organization on a server that has none, whole or not at all. As the owner of the schema: no key is needed. */
export async function initOrganization(
  ownerUrl: string,
  app: Pick<App, "secrets" | "clock">,
  organization: Omit<OrganizationToMake, "id" | "ownerEmail"> & { ownerEmail?: string },
): Promise<NewOrganization> {
  const { db } = openDatabase({ url: ownerUrl, connectionsMax: 1, statementTimeoutMs: 30_000, onIdleError: () => {} });
  try {
    return await db
      .transaction()
      .execute((tx) => insertOrganization(tx, app, { ownerEmail: DEFAULT_OWNER, ...organization, id: newId() }));
  } finally {
    await db.destroy();
  }
}
