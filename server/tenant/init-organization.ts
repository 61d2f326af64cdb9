import { sql } from "kysely";
import type { App } from "../app.ts";
import { openAsOwner } from "../db/login.ts";
import { formatId, newId } from "../id.ts";
import { appendOperatorAudit } from "./audit-chain.ts";
import { insertOrganization, type NewOrganization, type OrganizationToMake } from "./new-organization.ts";
import type { NamedOrganization } from "./recover-organization.ts";

/** Who the first owner is, where nobody says. */
export const DEFAULT_OWNER = "owner@localhost";

/**
 * Makes an organization, whole or not at all. As the owner of the schema: no key is needed, and the organization's log tells of
 * it. `accept` may refuse it for those that have its name already.
 */
export async function initOrganization(
  ownerUrl: string,
  app: Pick<App, "secrets" | "clock">,
  organization: Omit<OrganizationToMake, "id" | "ownerEmail"> & { ownerEmail?: string },
  accept: (namesakes: readonly NamedOrganization[]) => void = () => {},
): Promise<NewOrganization> {
  const db = await openAsOwner(ownerUrl, 30_000);
  try {
    return await db.transaction().execute(async (tx) => {
      await sql`lock table organization in share row exclusive mode`.execute(tx); // two at once see each other
      const named = tx.selectFrom("organization").select(["id", "name"]).where("name", "=", organization.name);
      accept(await named.orderBy("id").execute());
      const id = newId();
      const made = await insertOrganization(tx, app, { ownerEmail: DEFAULT_OWNER, ...organization, id });
      await appendOperatorAudit(app, tx, id, { action: "InitOrganization", subject: formatId("org", id) });
      return made;
    });
  } finally {
    await db.destroy();
  }
}
