import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { enterTenant, type Tx } from "../db/database.ts";
import { openAsOwner } from "../db/login.ts";
import { formatId, newMemberId } from "../id.ts";
import { checkKeys } from "../used-keys.ts";
import { newAccessTokenRow, TOKEN_MS } from "./access-token.ts";
import { appendOperatorAudit } from "./audit-chain.ts";
import { type MemberRow, normalEmail } from "./member.ts";
import { makeSecret } from "./secret-text.ts";

/** An organization, to choose from. */
export interface NamedOrganization {
  /** UUID. */
  id: string;
  name: string;
}

/** A person who is an owner now, and their token: shown here and nowhere else. */
export interface RecoveredOwner {
  organization: NamedOrganization;
  memberId: string;
  email: string;
  secret: string;
}

/**
 * Makes a person an owner of an organization that has none who could: it is older than members, or their tokens are lost. As
 * the owner of the schema, who could do anything; so it is told in the organization's log. `choose` takes one of all
 * organizations.
 */
export async function recoverOrganization(
  ownerUrl: string,
  app: Pick<App, "secrets" | "clock">,
  email: string,
  choose: (all: readonly NamedOrganization[]) => NamedOrganization,
): Promise<RecoveredOwner> {
  const db = await openAsOwner(ownerUrl, 30_000);
  try {
    const organization = choose(await db.selectFrom("organization").select(["id", "name"]).orderBy("id").execute());
    await checkKeys(db, app);
    return await db.transaction().execute(async (tx) => {
      await enterTenant(tx, organization.id);
      const memberId = await makeOwner(tx, app, organization.id, normalEmail(email));
      const secret = makeSecret("TOKEN", organization.id);
      const token = newAccessTokenRow(app, {
        ...{ organizationId: organization.id, memberId, name: "recovered", secret },
        expiresAt: plusMs(app.clock.now(), TOKEN_MS),
      });
      await tx.insertInto("access_token").values(token).execute();
      const entry = { action: "RecoverOrganization", subject: formatId("mem", memberId) };
      await appendOperatorAudit(app, tx, organization.id, entry);
      return { organization, memberId, email: normalEmail(email), secret };
    });
  } finally {
    await db.destroy();
  }
}

async function makeOwner(tx: Tx, app: Pick<App, "clock">, organizationId: string, email: string): Promise<string> {
  const now = app.clock.now();
  const invite = { invite_hash: null, invite_pepper_id: null, invite_expires_at: null, invited_by: null };
  const row: MemberRow = {
    ...{ organization_id: organizationId, id: newMemberId(), email, name: "" },
    ...{ role: "OWNER", invited_at: now, joined_at: now, ...invite },
  };
  const { id } = await tx
    .insertInto("member")
    .values(row)
    .onConflict((conflict) =>
      conflict.constraint("member_email_key").doUpdateSet({ role: "OWNER", joined_at: now, ...invite }),
    )
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}
