import type { Tx } from "../db/database.ts";

const DIGITS_MIN = 6;

/** The number of an invoice: `INV-000042`. A prefix ends with no digit, so no two pairs make the same number. */
export function invoiceNumber(prefix: string, sequence: bigint): string {
  return `${prefix}${sequence.toString().padStart(DIGITS_MIN, "0")}`;
}

/** The sequence that a number says, or undefined when it is no number of an invoice. */
export function sequenceOf(number: string): bigint | undefined {
  const digits = /^[A-Za-z0-9-]*[A-Za-z-](\d{6,})$/.exec(number)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** What the tenant's numbers begin with, from now on. */
export async function invoicePrefix(tx: Tx, tenantId: string): Promise<string> {
  const row = await tx
    .selectFrom("tenant")
    .select("invoice_prefix")
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return row.invoice_prefix;
}
