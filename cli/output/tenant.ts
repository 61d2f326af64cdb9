import { type Tenant, TenantKindSchema } from "../../gen/usageflow/v1/tenant_pb.ts";
import { daysText, partyFacts } from "./party.ts";
import { facts } from "./table.ts";
import { span, time, word } from "./text.ts";

/** A tenant's settings in full. */
export function tenantText(tenant: Tenant): string {
  return facts({
    Tenant: tenant.id,
    Organization: tenant.organization,
    Kind: word(TenantKindSchema, tenant.kind),
    Clock: `${time(tenant.clock?.now)} UTC`,
    "Time zone": tenant.timeZone,
    "Grace period": span(tenant.gracePeriod),
    "Backfill window": span(tenant.backfillWindow),
    "Invoice prefix": tenant.invoicePrefix,
    "Payment terms": daysText(tenant.paymentTermsDays),
    ...partyFacts("Seller", tenant.seller),
    Memo: tenant.memo,
    "Deleted after": time(tenant.deleteAfter),
  });
}
