import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { GetCustomerResponseSchema, type TenantService } from "../../gen/usageflow/v1/tenant_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { callerOf } from "../rpc/caller.ts";
import type { Streams } from "../rpc/streams.ts";
import { acceptInvite } from "./accept-invite.ts";
import { listAccessTokens } from "./access-token.ts";
import { advanceClock } from "./advance-clock.ts";
import { listApiKeys } from "./api-key.ts";
import { listAuditEntries } from "./audit-entry.ts";
import { cancelOrganizationDeletion } from "./cancel-organization-deletion.ts";
import { changeMemberRole } from "./change-member-role.ts";
import { createAccessToken } from "./create-access-token.ts";
import { createApiKey } from "./create-api-key.ts";
import { createOrganization } from "./create-organization.ts";
import { getCustomer, listCustomers, toCustomer } from "./customer.ts";
import { deleteOrganization } from "./delete-organization.ts";
import { exportAudit } from "./export-audit.ts";
import { inviteMember } from "./invite-member.ts";
import { listMembers } from "./member.ts";
import { getOrganization, listTenants } from "./organization.ts";
import { putCustomer } from "./put-customer.ts";
import { removeMember } from "./remove-member.ts";
import { renameOrganization } from "./rename-organization.ts";
import { revokeAccessToken } from "./revoke-access-token.ts";
import { revokeApiKey } from "./revoke-api-key.ts";
import { rotateApiKey } from "./rotate-api-key.ts";
import { tailAudit } from "./tail-audit.ts";
import { getOwnTenant } from "./tenant.ts";
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
    getTenant: (_, call) => getOwnTenant(app, callerOf(call)),
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
    createOrganization: (request, call) => createOrganization(app, callerOf(call), request),
    getOrganization: (_, call) => getOrganization(app, callerOf(call)),
    renameOrganization: (request, call) => renameOrganization(app, callerOf(call), request),
    deleteOrganization: (request, call) => deleteOrganization(app, callerOf(call), request),
    cancelOrganizationDeletion: (_, call) => cancelOrganizationDeletion(app, callerOf(call)),
    listTenants: (request, call) => listTenants(app, callerOf(call), request),
    inviteMember: (request, call) => inviteMember(app, callerOf(call), request),
    acceptInvite: (request, call) => acceptInvite(app, callerOf(call), request),
    listMembers: (request, call) => listMembers(app, callerOf(call), request),
    changeMemberRole: (request, call) => changeMemberRole(app, callerOf(call), request),
    removeMember: (request, call) => removeMember(app, callerOf(call), request),
    createAccessToken: (request, call) => createAccessToken(app, callerOf(call), request),
    listAccessTokens: (request, call) => listAccessTokens(app, callerOf(call), request),
    revokeAccessToken: (request, call) => revokeAccessToken(app, callerOf(call), request),
    ...billing,
  };
}
