import { create } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type VersionSubscriptions, VersionSubscriptionsSchema } from "../../gen/usageflow/v1/catalog_diff_pb.ts";
import type { Tx } from "../db/database.ts";

/** How many subscriptions that are not over are on each version of plans, by the plans' keys. */
export async function versionSubscriptions(
  tx: Tx,
  tenantId: string,
  planKeys: readonly string[],
): Promise<Map<string, VersionSubscriptions[]>> {
  if (planKeys.length === 0) return new Map();
  const { rows } = await sql<{ plan_key: string; plan_version: number; count: bigint }>`
    select plan_key, plan_version, count(*) from subscription
    where tenant_id = ${tenantId} and plan_key = any(${planKeys}) and due_at is not null
    group by plan_key, plan_version
    order by plan_key, plan_version`.execute(tx);
  const grouped = Map.groupBy(rows, (row) => row.plan_key);
  return new Map(
    Array.from(grouped, ([key, its]) => [
      key,
      its.map((row) => create(VersionSubscriptionsSchema, { version: row.plan_version, count: row.count })),
    ]),
  );
}
