import { type RawBuilder, sql } from "kysely";

/**
 * Joins the final invoice with an id, under a name of its own, and its document. Looked up row by row: a plain join may read
 * all invoices of the tenant for each row before the planner knows the tables.
 */
export function joinFinal(tenantId: string, id: RawBuilder<unknown>, name: "invoice" | "carrier" = "invoice") {
  return sql`
    cross join lateral (select * from invoice where tenant_id = ${tenantId} and id = ${id} limit 1) as ${sql.ref(name)}
    cross join lateral (
      select * from invoice_document where tenant_id = ${tenantId} and invoice_id = ${id} limit 1
    ) as document`;
}
