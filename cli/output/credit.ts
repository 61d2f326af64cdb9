import {
  type CreditEntry,
  CreditEntryKindSchema,
  type CreditGrant,
  CreditSourceSchema,
} from "../../gen/usageflow/v1/credit_pb.ts";
import { type Column, facts } from "./table.ts";
import { money, time, word } from "./text.ts";

/** A credit as a row of a list. */
export const creditColumns: Column<CreditGrant>[] = [
  { title: "CREDIT", value: (grant) => grant.id },
  { title: "CUSTOMER", value: (grant) => grant.customerId, cut: "last" },
  { title: "GRANTED", value: (grant) => money(grant.amountMinor, grant.currency), right: true, spare: true },
  { title: "LEFT", value: (grant) => money(grant.remainingMinor, grant.currency), right: true },
  { title: "PRIORITY", value: (grant) => String(grant.priority), right: true, spare: true },
  { title: "EXPIRES", value: (grant) => time(grant.expiresAt) },
  { title: "NOTE", value: (grant) => grant.note, cut: true },
];

/** A movement of credit as a row of the ledger. */
export const creditEntryColumns: Column<CreditEntry>[] = [
  { title: "WHEN", value: (entry) => time(entry.at) },
  { title: "CREDIT", value: (entry) => entry.grantId },
  { title: "CUSTOMER", value: (entry) => entry.customerId, cut: "last", spare: true },
  { title: "WHAT", value: (entry) => word(CreditEntryKindSchema, entry.kind) },
  { title: "AMOUNT", value: (entry) => money(entry.amountMinor, entry.currency), right: true },
  { title: "INVOICE", value: (entry) => entry.invoiceNumber },
  { title: "NOTE", value: (entry) => entry.note, cut: true, spare: true },
];

/** A credit in full. */
export function creditText(grant: CreditGrant): string {
  return facts({
    Credit: grant.id,
    Customer: grant.customerId,
    Source: word(CreditSourceSchema, grant.source),
    Granted: money(grant.amountMinor, grant.currency),
    Left: money(grant.remainingMinor, grant.currency),
    Priority: String(grant.priority),
    Expires: time(grant.expiresAt),
    Revoked: time(grant.revokedAt),
    Note: grant.note,
  });
}
