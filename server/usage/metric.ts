import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { type Selectable, sql } from "kysely";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { Aggregation, AggregationSchema, type Metric, MetricSchema } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Tx } from "../db/database.ts";
import type { Metric as MetricTable } from "../db/tables.ts";
import { invalid, notFound } from "../rpc/errors.ts";

/** What is measured, and how: a row of `metric`. */
export type MetricRow = Selectable<MetricTable>;

/** The metric as callers see it. */
export function toMetric(row: MetricRow): Metric {
  return create(MetricSchema, {
    key: row.key,
    name: row.name,
    unit: row.unit,
    aggregation: Aggregation[row.aggregation as keyof typeof Aggregation],
    uniqueProperty: row.unique_property,
    dimensions: row.dimensions,
    carryOver: row.carry_over,
  });
}

/** One metric, or not-found. */
export async function getMetric(tx: Tx, tenantId: string, key: string): Promise<MetricRow> {
  const row = await tx
    .selectFrom("metric")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("key", "=", key)
    .executeTakeFirst();
  if (!row) throw notFound("metric", key);
  return row;
}

/** All metrics of the tenant by key, in the order of the keys. */
export async function metricsByKey(tx: Tx, tenantId: string): Promise<Map<string, MetricRow>> {
  const rows = await tx.selectFrom("metric").selectAll().where("tenant_id", "=", tenantId).orderBy("key").execute();
  return new Map(rows.map((row) => [row.key, row]));
}

/**
 * Those of a catalog's metrics that are new or changed. Refuses to change what a metric measures once it has usage. Part
 * of a push: the caller keeps other pushes out.
 */
export async function changedMetrics(tx: Tx, tenantId: string, metrics: readonly Metric[]): Promise<MetricRow[]> {
  const known = await metricsByKey(tx, tenantId);
  const rows = metrics.map((metric) => toRow(tenantId, metric));
  const changed = rows.filter((row) => !sameRow(row, known.get(row.key)));
  for (const row of changed) {
    const field = changedMeasure(row, known.get(row.key));
    const events = field ? await countEvents(tx, tenantId, row.key) : 0n;
    if (events === 0n) continue;
    const usage = `${events.toLocaleString("en")} event${events === 1n ? "" : "s"}`;
    throw invalid(
      `catalog.metrics[${rows.indexOf(row)}].${field}`,
      `metric "${row.key}" has usage (${usage}) and must keep counting as it does; give the new one another key`,
      ErrorReason.INVALID_CATALOG,
    );
  }
  return changed;
}

/** Publishes metrics beside those that are there. */
export async function putMetrics(tx: Tx, rows: readonly MetricRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx
    .insertInto("metric")
    .values(rows)
    .onConflict((conflict) =>
      conflict.constraint("metric_pkey").doUpdateSet((row) => ({
        name: row.ref("excluded.name"),
        unit: row.ref("excluded.unit"),
        aggregation: row.ref("excluded.aggregation"),
        unique_property: row.ref("excluded.unique_property"),
        dimensions: row.ref("excluded.dimensions"),
        carry_over: row.ref("excluded.carry_over"),
      })),
    )
    .execute();
}

function toRow(tenantId: string, metric: Metric): MetricRow {
  return {
    tenant_id: tenantId,
    key: metric.key,
    name: metric.name,
    unit: metric.unit,
    aggregation: AggregationSchema.value[metric.aggregation]?.localName ?? "",
    unique_property: metric.uniqueProperty,
    dimensions: metric.dimensions,
    carry_over: metric.carryOver,
  };
}

function sameRow(row: MetricRow, known: MetricRow | undefined): boolean {
  return known?.name === row.name && known.unit === row.unit && !changedMeasure(row, known);
}

/** The field that changes what is measured, if one does. */
function changedMeasure(row: MetricRow, known: MetricRow | undefined): string | undefined {
  if (!known) return undefined;
  if (known.aggregation !== row.aggregation) return "aggregation";
  if (known.unique_property !== row.unique_property) return "unique_property";
  if (known.carry_over !== row.carry_over) return "carry_over";
  // In their order too: buckets have the values in that of the declaration.
  return isDeepStrictEqual(known.dimensions, row.dimensions) ? undefined : "dimensions";
}

/**
 * How many events of the metric were accepted: those in buckets, and those in batches that wait to be folded. One
 * statement, so that a fold cannot carry some from the one to the other unseen. Neither table is indexed by metric: that
 * would cost every ingest, and this is asked only when a metric changes what it measures.
 */
async function countEvents(tx: Tx, tenantId: string, metric: string): Promise<bigint> {
  const { rows } = await sql<{ events: bigint }>`
    select (
      select count(*) from usage_batch b join usage_event e on e.tenant_id = b.tenant_id and e.batch_id = b.id
      where b.tenant_id = ${tenantId} and e.metric = ${metric}
    ) + (
      select coalesce(sum(event_count), 0)::bigint from usage_bucket where tenant_id = ${tenantId} and metric = ${metric}
    ) as events`.execute(tx);
  return rows[0]?.events ?? 0n;
}
