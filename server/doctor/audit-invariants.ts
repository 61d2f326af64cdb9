import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { AuditBreach, AuditBreachSchema } from "../../gen/usageflow/v1/audit_pb.ts";
import { VerifyAuditRequestSchema } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import { verifyAudit } from "../tenant/verify-audit.ts";
import { type Invariant, rowsOf, walking } from "./invariant.ts";

const MEDDLED =
  "Somebody changed the log in the database. Keep the database as it is, find out who had the owner's login, and compare with an exported log or head (usageflow audit verify --head).";

/** That the audit logs are whole. */
export const auditInvariants: readonly Invariant[] = [
  {
    name: "audit-whole",
    says: "The entries of each audit log follow each other without gaps, up to its end.",
    meaning: "An entry was taken out or slipped in.",
    remedy: MEDDLED,
    of: "place",
    look: walking({
      part: rowsOf("audit_entry", ["sequence"]),
      found: ({ place }) => sql`
        select format('entry %s has none before it', sequence) from part
        where sequence > 1 and not exists (
          select from audit_entry before where before.tenant_id = ${place} and before.sequence = part.sequence - 1
        )
        union all
        select format('the log ends at %s, and entry %s is there', coalesce(head.sequence, 0), last.sequence) from (
          select coalesce(max(sequence), 0) as sequence from audit_entry where tenant_id = ${place}
        ) as last left join audit_head head on head.tenant_id = ${place}
        where last.sequence <> coalesce(head.sequence, 0)`,
    }),
  },
];

/** That each entry is what was written: with the master key. */
export const auditHashInvariant: Invariant = {
  name: "audit-unchanged",
  says: "Each entry of an audit log is as it was written.",
  meaning: "An entry was changed, moved or slipped in by somebody who has the database, and not the master key.",
  remedy: MEDDLED,
  of: "place",
  look: async ({ db, secrets }, { place, after }) => {
    if (!secrets) throw new Error("no master key was given");
    const from = after && { sequence: BigInt(after[0] as string), hash: Buffer.from(after[1] as string, "hex") };
    const request = create(VerifyAuditRequestSchema, from ? { after: from } : {});
    const { verified, head, breach, breachSequence } = await verifyAudit({ db, secrets }, place, request);
    const at = verified?.sequence ?? 0n;
    const isWhole = breach === AuditBreach.UNSPECIFIED;
    const found = isWhole ? [] : [`entry ${breachSequence}: ${AuditBreachSchema.value[breach]?.localName}`];
    const isLast = !isWhole || at === (head?.sequence ?? 0n);
    const last = isLast ? undefined : [String(at), Buffer.from(verified?.hash ?? []).toString("hex")];
    return { looked: Number(at - (from?.sequence ?? 0n)), found, last };
  },
};
