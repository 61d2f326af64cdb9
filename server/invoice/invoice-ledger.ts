import { sql } from "kysely";
import { type InvoiceLine, InvoiceLineKind } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Tx } from "../db/database.ts";
import { type CreditTerms, totalOf } from "./settlement.ts";

/** What the ledger of credits says of one invoice. */
export interface InvoiceLedger {
  /** What it drew, in the order in which it was drawn. */
  drawn: CreditTerms[];
  returnedMinor: bigint;
  grantedMinor: bigint;
  /** What is left of that. */
  grantedLeftMinor: bigint;
}

/** Reads what the ledger says of an invoice. */
export async function ledgerOf(tx: Tx, tenantId: string, invoiceId: string): Promise<InvoiceLedger> {
  const entries = await tx
    .selectFrom("credit_entry")
    .select(["grant_id", "kind", "amount_minor"])
    .where("tenant_id", "=", tenantId)
    .where("invoice_id", "=", invoiceId)
    .where("kind", "in", ["DRAWN", "RETURNED"])
    .orderBy("id")
    .execute();
  const granted = await tx
    .selectFrom("credit_grant")
    .select(sql<bigint>`coalesce(sum(amount_minor), 0)::bigint`.as("amount"))
    .select(sql<bigint>`coalesce(sum(remaining_minor), 0)::bigint`.as("left"))
    .where("tenant_id", "=", tenantId)
    .where("invoice_id", "=", invoiceId)
    .where("source", "=", "INVOICE")
    .executeTakeFirstOrThrow();
  const drawn = entries.filter((entry) => entry.kind === "DRAWN");
  return {
    drawn: drawn.map((entry) => ({ grantId: entry.grant_id, note: "", leftMinor: -entry.amount_minor })),
    returnedMinor: entries
      .filter((entry) => entry.kind === "RETURNED")
      .reduce((sum, entry) => sum + entry.amount_minor, 0n),
    grantedMinor: granted.amount,
    grantedLeftMinor: granted.left,
  };
}

/** Whether the ledger says what the stored lines say; and, of a void invoice, that it is as if it had never been. */
export function ledgerAgrees(
  ledger: InvoiceLedger,
  { state }: { state: string },
  lines: readonly InvoiceLine[],
): boolean {
  const of = (kind: InvoiceLineKind) => totalOf(lines.filter((line) => line.kind === kind));
  const drawnMinor = ledger.drawn.reduce((sum, credit) => sum + credit.leftMinor, 0n);
  const isVoid = state === "VOID";
  return (
    drawnMinor === -of(InvoiceLineKind.CREDIT_DRAWN) &&
    ledger.grantedMinor === of(InvoiceLineKind.CREDIT_GRANTED) &&
    ledger.returnedMinor === (isVoid ? drawnMinor : 0n) &&
    !(isVoid && ledger.grantedLeftMinor > 0n)
  );
}
