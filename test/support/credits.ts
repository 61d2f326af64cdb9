import { sql } from "kysely";
import { expect } from "vitest";
import { CreditEntryKindSchema } from "../../gen/usageflow/v1/credit_pb.ts";
import type { Harness } from "./harness.ts";

/** The ledger of a customer in few words, oldest first. */
export async function ledger({ clients }: Harness, customerId = "ann"): Promise<string[]> {
  const { creditEntries } = await clients.invoice.listCreditEntries({ customerId });
  return creditEntries.map((entry) => {
    const words = [CreditEntryKindSchema.value[entry.kind]?.localName, entry.amountMinor, entry.invoiceNumber];
    return words.join(" ").trim();
  });
}

/** What is left of every grant is the sum of its entries. */
export async function expectLedgerToAddUp({ ownerDb }: Harness): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select g.id from credit_grant g
    where remaining_minor <> (select coalesce(sum(amount_minor), 0) from credit_entry where grant_id = g.id)`.execute(
    ownerDb,
  );
  expect(rows).toEqual([]);
}
