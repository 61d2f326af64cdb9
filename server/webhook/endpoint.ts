import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import { EndpointSchema, SignatureKind } from "../../gen/usageflow/v1/webhook_pb.ts";
import { type ListEndpointsRequest, ListEndpointsResponseSchema } from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { Endpoint as EndpointRow } from "../db/tables.ts";
import { formatId, parseId } from "../id.ts";
import { notFound } from "../rpc/errors.ts";
import { openPage } from "../rpc/page.ts";
import { formatPublicKey } from "./signature.ts";

/** The endpoint as callers see it. */
export function toEndpoint(row: Selectable<EndpointRow>) {
  return create(EndpointSchema, {
    id: formatId("whe", row.id),
    url: row.url,
    description: row.description,
    eventTypes: row.event_types,
    createdAt: timestampFromDate(row.created_at),
    headerNames: row.header_names,
    metadata: row.metadata as Record<string, string>,
    signatureKind: SignatureKind[row.signature_kind as keyof typeof SignatureKind],
    publicKey: row.public_key ? formatPublicKey(row.public_key) : "",
    ...(row.former_secrets_until ? { formerSecretsUntil: timestampFromDate(row.former_secrets_until) } : {}),
    ...(row.paused_at ? { pausedAt: timestampFromDate(row.paused_at) } : {}),
    ...(row.disabled_at ? { disabledAt: timestampFromDate(row.disabled_at) } : {}),
    disabledReason: row.disabled_reason,
    maxPerSecond: row.max_per_second ?? 0,
    maxInFlight: row.max_in_flight ?? 0,
    ordered: row.ordered,
    listenerName: row.listener_name ?? "",
  });
}

/** One endpoint that is not deleted, or not-found. Locked, it stays as it is until the transaction ends. */
export async function getEndpoint(
  tx: Tx,
  tenantId: string,
  id: string,
  lock?: "lock",
): Promise<Selectable<EndpointRow>> {
  const uuid = parseId("whe", id);
  const row = uuid
    ? await tx
        .selectFrom("endpoint")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .where("id", "=", uuid)
        .where("deleted_at", "is", null)
        .$if(lock !== undefined, (query) => query.forNoKeyUpdate())
        .executeTakeFirst()
    : undefined;
  if (!row) throw notFound("endpoint", id);
  return row;
}

/**
 * Takes the right to make deliveries for an endpoint, or to send some again, until the transaction ends. Undefined: it was
 * deleted, or never there.
 */
export function lockEndpoint(tx: Tx, tenantId: string, uuid: string) {
  return tx
    .selectFrom("endpoint")
    .select(["id", "last_sequence", "ordered"])
    .where("tenant_id", "=", tenantId)
    .where("id", "=", uuid)
    .where("deleted_at", "is", null)
    .forNoKeyUpdate()
    .executeTakeFirst();
}

/** Endpoints of the tenant that are not deleted, oldest first. */
export function listEndpoints(app: App, tenantId: string, request: ListEndpointsRequest) {
  const page = openPage(app, { tenantId, list: "endpoint" }, request);
  return inTenant(app.db, tenantId, async (tx) => {
    const found = await tx
      .selectFrom("endpoint")
      .selectAll()
      .where("tenant_id", "=", tenantId)
      .where("deleted_at", "is", null)
      .$if(page.after !== undefined, (query) => query.where("id", ">", page.after as string))
      .orderBy("id")
      .limit(page.limit)
      .execute();
    const { rows, nextPageToken } = page.cut(found, (row) => row.id);
    return create(ListEndpointsResponseSchema, { endpoints: rows.map(toEndpoint), nextPageToken });
  });
}

/** Where an endpoint's secret is kept: what it is sealed with and bound to. */
export function secretPlace(tenantId: string, id: string): string {
  return `${tenantId}|endpoint|${id}`;
}
