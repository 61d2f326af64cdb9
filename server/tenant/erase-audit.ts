import type { JsonObject } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { digestOf, erasedBytes } from "./audit-chain.ts";
import type { ErasurePart } from "./customer-erasure.ts";

const ENTRIES_MAX = 200;
/** Fields of a customer that are its own words. */
const PERSONAL = ["name", "billing"];
const ERASED = "[erased]";

/** Takes personal data out of the entries about a customer. What is left of one is signed: see audit-chain.ts. */
export const eraseAudit: ErasurePart = {
  place: "AUDIT",
  async step(app, tx, { tenantId, customerId }, after) {
    const rows = await tx
      .selectFrom("audit_entry")
      .select(["tenant_id", "sequence", "detail", "original_digest"])
      .where("tenant_id", "=", tenantId)
      .where("subject", "=", customerId)
      .where("sequence", ">", BigInt(after || 0))
      .orderBy("sequence")
      .limit(ENTRIES_MAX)
      .execute();
    for (const row of rows) {
      const detail = withoutPersonal(row.detail);
      if (detail === row.detail) continue;
      const digest = row.original_digest ?? digestOf(row.detail);
      const signature = app.secrets.sign(erasedBytes(row, detail, digest));
      await sql`select erase_audit_detail(
        ${tenantId}, ${customerId}, ${row.sequence}, ${detail}, ${digest}, ${signature})`.execute(tx);
    }
    return rows.length === ENTRIES_MAX ? rows.at(-1)?.sequence.toString() : undefined;
  },
};

/** The detail without what names a customer; the same text where there is nothing. */
function withoutPersonal(detail: string): string {
  const json = JSON.parse(detail) as Record<string, JsonObject | undefined>;
  let found = false;
  for (const part of [json.request?.customer, json.before, json.after] as (JsonObject | undefined)[]) {
    for (const name of PERSONAL) {
      if (!part || !(name in part) || part[name] === ERASED) continue;
      part[name] = ERASED;
      found = true;
    }
  }
  return found ? JSON.stringify(json) : detail;
}
