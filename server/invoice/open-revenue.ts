import { create } from "@bufbuild/protobuf";
import { type GetOpenRevenueRequest, GetOpenRevenueResponseSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { plansOf } from "../pricing/plan.ts";
import { openPage } from "../rpc/page.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { arrearsDraft } from "./draft.ts";
import { linesOfDrafts } from "./draft-invoice-lines.ts";
import { partsOf } from "./settlement.ts";

/** What the open periods of a page of subscriptions come to as of now, by currency. Stores nothing. */
export function getOpenRevenue(app: App, tenantId: string, request: GetOpenRevenueRequest) {
  const page = openPage(app, { tenantId, list: "open_revenue" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await tx
      .selectFrom("subscription")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .$if(page.after !== undefined, (query) => query.where("id", ">", page.after as string))
      .orderBy("id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    const now = await tenantNow(tx, tenantId, app.clock);
    // Here, and not in the statement: of many that are over, a page would read them all.
    const open = rows.filter(
      ({ due_at, period_start, period_end }) => due_at !== null && period_start <= now && period_start < period_end,
    );
    const planOf = await plansOf(tx, tenantId, open);
    const drafts = open.map((subscription) => arrearsDraft(subscription, planOf(subscription), now, 0));
    const { settlements } = await linesOfDrafts(tx, tenantId, drafts);
    const sums = new Map<string, { amountMinor: bigint; subscriptionCount: bigint }>();
    drafts.forEach(({ currency }, place) => {
      const { subtotalMinor, discountMinor } = partsOf(settlements[place]?.lines ?? []);
      const before = sums.get(currency) ?? { amountMinor: 0n, subscriptionCount: 0n };
      sums.set(currency, {
        amountMinor: before.amountMinor + subtotalMinor - discountMinor,
        subscriptionCount: before.subscriptionCount + 1n,
      });
    });
    const revenues = [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([currency, sum]) => ({ currency, ...sum }));
    return create(GetOpenRevenueResponseSchema, { revenues, nextPageToken });
  });
}
