import { create } from "@bufbuild/protobuf";
import {
  type ExportUsageEventsRequest,
  type ExportUsageEventsResponse,
  ExportUsageEventsResponseSchema,
} from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { exportRows } from "../rpc/export-rows.ts";
import { pagePlaceOf, readEvents } from "./event-pages.ts";
import { checkEventSpan, toUsageEvent, type UsageEventRow } from "./usage-event.ts";
import { toUsageVoid, type UsageVoidRow, voidsOf } from "./usage-void.ts";

type ExportedEvent = UsageEventRow & { taken_back: UsageVoidRow | undefined };

/** Streams the events of the tenant. */
export function exportUsageEvents(
  app: App,
  caller: Caller,
  request: ExportUsageEventsRequest,
  ended: AbortSignal,
): AsyncIterable<ExportUsageEventsResponse> {
  checkEventSpan(request);
  const { tenantId } = caller;
  const { start, end } = request;
  const rows = {
    list: "usage_event",
    async read(tx: Tx, after: string | undefined, limit: number): Promise<ExportedEvent[]> {
      const events = await readEvents(tx, { tenantId, start, end }, after, limit);
      const keys = events.map((row) => row.idempotency_key);
      const voids = new Map((await voidsOf(tx, tenantId, keys)).map((row) => [row.idempotency_key, row]));
      return events.map((row) => ({ ...row, taken_back: voids.get(row.idempotency_key) }));
    },
    placeOf: pagePlaceOf,
    toAnswer: (events: readonly ExportedEvent[], resumeToken: string) =>
      create(ExportUsageEventsResponseSchema, {
        usageEvents: events.map(toUsageEvent),
        voids: events.flatMap(({ taken_back }) => (taken_back ? [toUsageVoid(taken_back)] : [])),
        resumeToken,
      }),
  };
  return exportRows(app, caller, request, rows, ended);
}
