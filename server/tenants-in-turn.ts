import type { App } from "./app.ts";
import { plusMs } from "./clock.ts";
import { formatId, NIL_ID } from "./id.ts";
import { errorFacts } from "./log.ts";
import { noteError } from "./loop.ts";
import type { Facts } from "./observe/fact.ts";
import type { metrics } from "./observe/metric.ts";

/** Tables of work that waits, of all tenants: each row is a claim on some. */
export type Queue = "usage_batch" | "outbox_pending" | "customer_erasure";

// So long after two tenants followed each other, the next turns are taken as shared too: who comes now and then comes again.
const SHARED_MS = 1_000;

const NEVER = new Date(0);

/** Who had the last turn, and when it was last another than the one before. */
interface LastTurn {
  tenantId: string;
  changedAt: Date;
}

const lastTurns = new WeakMap<App, Map<Queue, LastTurn>>();

/**
 * One round over the tenants that have work waiting in `queue`: each gets one turn, however much another has. `work` hears
 * whether the tenant has had the turns for itself lately: then a long one keeps nobody waiting. Answers how much was done.
 * `stop` ends the round early.
 */
export async function tenantsInTurn(
  app: App,
  queue: Queue,
  work: (tenantId: string, alone: boolean) => Promise<number>,
  stop?: AbortSignal,
): Promise<number> {
  let done = 0;
  let tenantId = await tenantAfter(app, queue, NIL_ID);
  while (tenantId && !stop?.aborted) {
    const alone = isAlone(app, queue, tenantId);
    done += await turnOf(app, queue, tenantId, (id) => work(id, alone));
    tenantId = await tenantAfter(app, queue, tenantId);
  }
  return done;
}

/** Notes whose turn it is. */
function isAlone(app: App, queue: Queue, tenantId: string): boolean {
  const turns = lastTurns.get(app) ?? new Map<Queue, LastTurn>();
  lastTurns.set(app, turns);
  const now = app.clock.now();
  const last = turns.get(queue);
  if (last?.tenantId === tenantId) return now >= plusMs(last.changedAt, SHARED_MS);
  turns.set(queue, { tenantId, changedAt: last ? now : NEVER });
  return !last;
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
