import type { App } from "./app.ts";
import { formatId, NIL_ID } from "./id.ts";
import { errorFacts } from "./log.ts";
import { noteError } from "./loop.ts";
import type { Facts } from "./observe/fact.ts";
import type { metrics } from "./observe/metric.ts";

/** Tables of work that waits, of all tenants: each row is a claim on some. */
export type Queue = "usage_batch" | "outbox_pending" | "customer_erasure";

/**
 * One round over the tenants that have work waiting in `queue`: each gets one turn, however much another has. Answers how
 * much was done. `stop` ends the round early.
 */
export async function tenantsInTurn(
  app: App,
  queue: Queue,
  work: (tenantId: string) => Promise<number>,
  stop?: AbortSignal,
): Promise<number> {
  let done = 0;
  let tenantId = await tenantAfter(app, queue, NIL_ID);
  while (tenantId && !stop?.aborted) {
    done += await turnOf(app, queue, tenantId, work);
    tenantId = await tenantAfter(app, queue, tenantId);
  }
  return done;
}

/** What a turn is for, as metrics and log lines name it. */
export type TurnName = (typeof metrics.usageflow_tenant_failures_total.known)[number];

/** One tenant's turn. A fault is logged, leaves its work where it was, and holds up nobody. `whose`: left out, the tenant's. */
export async function turnOf(
  app: App,
  name: TurnName,
  tenantId: string,
  work: (tenantId: string) => Promise<number>,
  whose: Facts = { tenant_id: formatId("ten", tenantId) },
): Promise<number> {
  try {
    return await work(tenantId);
  } catch (error) {
    noteError(error);
    app.observer.count("usageflow_tenant_failures_total", { work: name });
    app.log.error("tenant.failed", { work: name, ...whose, ...errorFacts(error) });
    return 0;
  }
}

/** The next tenant in order of ids: one step in the index each, where `distinct` would read every row that waits. */
async function tenantAfter(app: App, queue: Queue, tenantId: string): Promise<string | undefined> {
  const row = await app.workerDb
    .selectFrom(queue)
    .select("tenant_id")
    .where("tenant_id", ">", tenantId)
    .orderBy("tenant_id")
    .limit(1)
    .executeTakeFirst();
  return row?.tenant_id;
}
