import { sql } from "kysely";
import type { Tx } from "../db/database.ts";

const DIGITS_MIN = 6;

/** The number of a document: `INV-000042`. A prefix ends with no digit, so no two pairs make the same number. */
export function documentNumber(prefix: string, sequence: bigint): string {
  return `${prefix}${sequence.toString().padStart(DIGITS_MIN, "0")}`;
}

/** The sequence that a number says, or undefined when it is no number of a document. */
export function sequenceOf(number: string): bigint | undefined {
  const digits = /^[A-Za-z0-9-]*[A-Za-z-](\d{6,})$/.exec(number)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** What the tenant's invoice numbers begin with, from now on. */
export async function invoicePrefix(tx: Tx, tenantId: string): Promise<string> {
  const row = await tx
    .selectFrom("tenant")
    .select("invoice_prefix")
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return row.invoice_prefix;
}

/** Takes the tenant's next `count` numbers of a kind, and answers the first. Whoever comes next waits, so none is left out. */
export async function takeSequences(
  tx: Tx,
  tenantId: string,
  counter: "invoice_counter" | "credit_note_counter",
  count: number,
): Promise<bigint> {
  const taken = BigInt(count);
  const { rows } = await sql<{ last_sequence: bigint }>`
    insert into ${sql.table(counter)} as counter (tenant_id, last_sequence) values (${tenantId}, ${taken})
    on conflict on constraint ${sql.ref(`${counter}_pkey`)} do update set last_sequence = counter.last_sequence + excluded.last_sequence
    returning last_sequence`.execute(tx);
  const [row] = rows;
  if (!row) throw new Error("a counter that did not answer");
  return row.last_sequence - taken + 1n;
}
