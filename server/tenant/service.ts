import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  GetCustomerResponseSchema,
  GetTenantResponseSchema,
  type TenantService,
} from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { callerOf } from "../rpc/caller.ts";
import type { Streams } from "../rpc/streams.ts";
import { advanceClock } from "./advance-clock.ts";
import { getApiKey, listApiKeys } from "./api-key.ts";
import { listAuditEntries } from "./audit-entry.ts";
import { createApiKey } from "./create-api-key.ts";
import { getCustomer, listCustomers, toCustomer } from "./customer.ts";
import { exportAudit } from "./export-audit.ts";
import { putCustomer } from "./put-customer.ts";
import { revokeApiKey } from "./revoke-api-key.ts";
import { rotateApiKey } from "./rotate-api-key.ts";
import { tailAudit } from "./tail-audit.ts";
import { getTenant } from "./tenant.ts";
import { updateTenant } from "./update-tenant.ts";
import { verifyAudit } from "./verify-audit.ts";

/** The methods that only the invoices can answer: see `server/invoice/service.ts`. */
export type CustomerBillingMethods = Pick<ServiceImpl<typeof TenantService>, "eraseCustomer">;

/** TenantService: which file does what. */
export function tenantService(
  app: App,
  streams: Streams,
  billing: CustomerBillingMethods,
): ServiceImpl<typeof TenantService> {
  return {
    getTenant: (_, call) => {
      const { tenantId, keyId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) => {
        const tenant = await getTenant(app, tx, tenantId);
        return create(GetTenantResponseSchema, { tenant, apiKey: await getApiKey(tx, tenantId, keyId) });
      });
    },
    updateTenant: (request, call) => updateTenant(app, callerOf(call), request),
    advanceClock: (request, call) => advanceClock(app, callerOf(call), request),
    createApiKey: (request, call) => createApiKey(app, callerOf(call), request),
    listApiKeys: (request, call) => listApiKeys(app, callerOf(call).tenantId, request),
    revokeApiKey: (request, call) => revokeApiKey(app, callerOf(call), request),
    rotateApiKey: (request, call) => rotateApiKey(app, callerOf(call), request),
    putCustomer: (request, call) => putCustomer(app, callerOf(call), request),
    getCustomer: (request, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetCustomerResponseSchema, { customer: toCustomer(await getCustomer(tx, tenantId, request.id)) }),
      );
    },
    listCustomers: (request, call) => listCustomers(app, callerOf(call).tenantId, request),
    listAuditEntries: (request, call) => listAuditEntries(app, callerOf(call).tenantId, request),
    tailAuditEntries: (request, call) =>
      streams.run(call, (ended) => tailAudit(app, callerOf(call).tenantId, request, ended)),
    verifyAudit: (request, call) => verifyAudit(app, callerOf(call).tenantId, request),
    exportAudit: (request, call) => streams.run(call, (ended) => exportAudit(app, callerOf(call), request, ended)),
    ...billing,
  };
}
