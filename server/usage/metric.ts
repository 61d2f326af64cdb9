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
 * Publishes the metrics of a catalog beside those that are there, and answers the keys of those that are new or
 * changed. Refuses to change what a metric measures once it has usage. Part of a push: the caller keeps other pushes out.
 */
export async function putMetrics(tx: Tx, tenantId: string, metrics: readonly Metric[]): Promise<string[]> {
  const known = await metricsByKey(tx, tenantId);
  const rows = metrics.map((metric) => toRow(tenantId, metric));
  const changed = rows.filter((row) => !sameRow(row, known.get(row.key)));
  if (changed.length === 0) return [];
  for (const row of changed) {
    const field = changedMeasure(row, known.get(row.key));
    if (!field || !(await hasUsage(tx, tenantId, row.key))) continue;
    throw invalid(
      `catalog.metrics[${rows.indexOf(row)}].${field}`,
      `metric "${row.key}" has usage and must keep counting as it does; give the new one another key`,
      ErrorReason.INVALID_CATALOG,
    );
  }
  await tx
    .insertInto("metric")
    .values(changed)
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
  return changed.map((row) => row.key);
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
 * Whether usage of the metric was accepted: it is in a bucket, or in a batch that waits to be folded. One statement, so
 * that a fold cannot carry it from the one to the other unseen. Neither table is indexed by metric: that would cost
 * every ingest, and this is asked only when a metric changes what it measures.
 */
async function hasUsage(tx: Tx, tenantId: string, metric: string): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    select exists (
      select from usage_batch b join usage_event e on e.tenant_id = b.tenant_id and e.batch_id = b.id
      where b.tenant_id = ${tenantId} and e.metric = ${metric}
    ) or exists (
      select from usage_bucket where tenant_id = ${tenantId} and metric = ${metric}
    ) as found`.execute(tx);
  return rows[0]?.found === true;
}
