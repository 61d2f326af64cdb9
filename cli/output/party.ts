import type { Party } from "../../gen/usageflow/v1/tenant_pb.ts";

/** One side of an invoice as facts: what it is called, and what is known of it. */
export function partyFacts(role: string, party: Party | undefined): Record<string, string> {
  return {
    [role]: party?.name ?? "",
    Address: party?.address.join(", ") ?? "",
    "Tax id": party?.taxId ?? "",
    Email: party?.email ?? "",
  };
}

/** How long an invoice may be owed, in words. */
export function daysText(days: number | undefined): string {
  if (days === undefined) return "";
  return days === 0 ? "due at once" : `${days} ${days === 1 ? "day" : "days"}`;
}
