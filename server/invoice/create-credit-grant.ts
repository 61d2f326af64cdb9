import { create } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { CreditSource } from "../../gen/usageflow/v1/credit_pb.ts";
import {
  type CreateCreditGrantRequest,
  CreateCreditGrantResponseSchema,
} from "../../gen/usageflow/v1/invoice_service_pb.ts";
import type { App } from "../app.ts";
import { moneyOf } from "../pricing/check-price.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid } from "../rpc/errors.ts";
import { registerCustomers } from "../tenant/customer.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { grantCredit } from "./credit.ts";

/** Grants a customer credit. */
export function createCreditGrant(app: App, caller: Caller, request: CreateCreditGrantRequest) {
  const { tenantId } = caller;
  const { customerId, currency, amount, source, priority, note } = request;
  const amountMinor = moneyOf({ currency, amount });
  return change(app, caller, CreateCreditGrantResponseSchema, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    const expiresAt = request.expiresAt ? timestampDate(request.expiresAt) : null;
    if (expiresAt && expiresAt <= now) {
      throw invalid("expires_at", `expires_at: must lie ahead of the tenant's clock, which shows ${now.toISOString()}`);
    }
    await registerCustomers(tx, tenantId, [customerId], now);
    const credit = {
      customerId,
      currency,
      amountMinor,
      source: source === CreditSource.BOUGHT ? "BOUGHT" : "GRANTED",
      ...(priority ? { priority } : {}),
      expiresAt,
      note,
    } as const;
    const creditGrant = await grantCredit(tx, tenantId, credit, now);
    return create(CreateCreditGrantResponseSchema, { creditGrant });
  });
}
