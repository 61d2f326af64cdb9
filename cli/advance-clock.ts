import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import type { Clock } from "../gen/usageflow/v1/tenant_pb.ts";
import type { AdvanceClockRequest, TenantService } from "../gen/usageflow/v1/tenant_service_pb.ts";

const POLL_MS = 100;

/** Advances the clock, and answers it when it has arrived: all work that fell due is done. */
export async function advanceClock(
  tenants: Client<typeof TenantService>,
  destination: AdvanceClockRequest["destination"],
  onWay: (clock: Clock) => void = () => {},
): Promise<Clock> {
  let { clock } = await tenants.advanceClock({ destination });
  while (clock?.target) {
    onWay(clock);
    await sleep(POLL_MS);
    clock = (await tenants.getTenant({})).tenant?.clock;
  }
  return clock as Clock;
}
