import { create } from "@bufbuild/protobuf";
import {
  type ExportDeliveriesRequest,
  type ExportDeliveriesResponse,
  ExportDeliveriesResponseSchema,
  ListDeliveriesRequestSchema,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { exportRows } from "../rpc/export-rows.ts";
import { listSpan } from "../rpc/list-span.ts";
import { type DeliveryRow, toDelivery } from "./delivery.ts";
import { findDeliveries, placeOf } from "./list-deliveries.ts";

/** Streams the deliveries of the tenant: its list, from the oldest on. */
export function exportDeliveries(
  app: App,
  caller: Caller,
  request: ExportDeliveriesRequest,
  ended: AbortSignal,
): AsyncIterable<ExportDeliveriesResponse> {
  listSpan(request); // refuses one that ends before it begins
  const { start, end } = request;
  const list = create(ListDeliveriesRequestSchema, {
    oldestFirst: true,
    ...(start ? { start } : {}),
    ...(end ? { end } : {}),
  });
  const rows = {
    list: "delivery",
    read: (tx: Tx, after: string | undefined, limit: number) =>
      findDeliveries(tx, caller.tenantId, list, { after, limit }),
    placeOf,
    toAnswer: (deliveries: readonly DeliveryRow[], resumeToken: string) =>
      create(ExportDeliveriesResponseSchema, { deliveries: deliveries.map((row) => toDelivery(row)), resumeToken }),
  };
  return exportRows(app, caller, request, rows, ended);
}
