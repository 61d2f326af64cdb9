import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import type { InvoiceRow } from "./invoice.ts";

/** Which billed periods are meant. */
export interface PeriodFilter {
  /** Those that begin then or later; undefined: all. */
  from: Date | undefined;
  /** Those that end by then. */
  until: Date;
  /** Empty: all customers. */
  customerId: string;
  /** Empty: under any plan. */
  planKey: string;
}

/** Ids of customers who have billed periods, in order, those after `after`. */
export async function customersWithPeriods(
  tx: Tx,
  tenantId: string,
  filter: PeriodFilter,
  { after, limit }: { after: string | undefined; limit: number },
): Promise<string[]> {
  const rows = await invoicesOfPeriods(tx, tenantId, filter)
    .select("customer_id")
    .distinct()
    .$if(after !== undefined, (query) => query.where("customer_id", ">", after as string))
    .orderBy("customer_id")
    .limit(limit)
    .execute();
  return rows.map((row) => row.customer_id);
}

/**
 * The billed periods of customers, each once, though it may have an invoice in advance and one in arrears. It stands as
 * the row of the latter where there is one: that one knows where the period ended.
 */
export async function billedPeriods(
  tx: Tx,
  tenantId: string,
  filter: PeriodFilter,
  customerIds: readonly string[],
): Promise<InvoiceRow[]> {
  const rows = await invoicesOfPeriods(tx, tenantId, filter)
    .selectAll()
    .where(sql<boolean>`customer_id = any(${customerIds})`)
    .orderBy("customer_id")
    .orderBy("subscription_id")
    .orderBy("period_start")
    .orderBy("kind")
    .execute();
  const periods = Map.groupBy(rows, (row) => `${row.subscription_id} ${row.period_start.toISOString()}`);
  return [...periods.values()].map((its) => (its.find((row) => row.kind === "IN_ARREARS") ?? its[0]) as InvoiceRow);
}

function invoicesOfPeriods(tx: Tx, tenantId: string, { from, until, customerId, planKey }: PeriodFilter) {
  return tx
    .selectFrom("invoice")
    .where("tenant_id", "=", tenantId)
    .where("kind", "in", ["IN_ADVANCE", "IN_ARREARS"])
    .where("state", "<>", "VOID")
    .where("period_end", "<=", until)
    .$if(from !== undefined, (query) => query.where("period_start", ">=", from as Date))
    .$if(customerId !== "", (query) => query.where("customer_id", "=", customerId))
    .$if(planKey !== "", (query) => query.where("plan_key", "=", planKey));
}
