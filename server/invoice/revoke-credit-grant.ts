import { create } from "@bufbuild/protobuf";
import { CreditGrantSchema } from "../../gen/usageflow/v1/credit_pb.ts";
import {
  type RevokeCreditGrantRequest,
  RevokeCreditGrantResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { noteBefore } from "../rpc/change-note.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { lockCreditGrant, toCreditGrant } from "./credit.ts";
import { moveCredits } from "./credit-entry.ts";

/** Takes back what is left of a credit grant. */
export function revokeCreditGrant(app: App, caller: Caller, { id, reason }: RevokeCreditGrantRequest) {
  const { tenantId } = caller;
  return change(app, caller, RevokeCreditGrantResponseSchema, async (tx) => {
    const row = await lockCreditGrant(tx, tenantId, id);
    noteBefore(tx, CreditGrantSchema, toCreditGrant(row));
    if (row.revoked_at) return create(RevokeCreditGrantResponseSchema, { creditGrant: toCreditGrant(row) });
    const now = await tenantNow(tx, tenantId, app.clock);
    await tx
      .updateTable("credit_grant")
      .set({ revoked_at: now })
      .where("tenant_id", "=", tenantId)
      .where("id", "=", row.id)
      .execute();
    if (row.remaining_minor > 0n) {
      const entry = { grantId: row.id, kind: "REVOKED", amountMinor: -row.remaining_minor, note: reason } as const;
      await moveCredits(tx, tenantId, [entry], now);
    }
    const revoked = { ...row, remaining_minor: 0n, revoked_at: now };
    return create(RevokeCreditGrantResponseSchema, { creditGrant: toCreditGrant(revoked) });
  });
}
