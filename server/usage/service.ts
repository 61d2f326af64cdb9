import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { TrackUsageResponseSchema, type UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import type { Admission } from "../rpc/admission.ts";
import { recordKey } from "../rpc/call-record.ts";
import { callerOf } from "../rpc/caller.ts";
import type { Streams } from "../rpc/streams.ts";
import { exportUsageEvents } from "./export-usage-events.ts";
import { noteOutcomes } from "./note-outcomes.ts";
import type { Tracker } from "./track-usage.ts";
import { listUsageEvents } from "./usage-event.ts";
import { getUsageRate } from "./usage-rate.ts";
import { type FindPeriodEdges, getUsage } from "./usage-series.ts";
import { voidUsage } from "./void-usage.ts";

/** The methods that only the invoices can answer: see `server/invoice/service.ts`. */
export type UsageBillingMethods = Pick<ServiceImpl<typeof UsageService>, "explainUsageEvent" | "listUnbilledUsage">;

/** UsageService: which file does what. */
export function usageService(
  app: App,
  streams: Streams,
  tracker: Tracker,
  admission: Admission,
  billing: UsageBillingMethods,
  findPeriodEdges: FindPeriodEdges,
): ServiceImpl<typeof UsageService> {
  return {
    async trackUsage({ events, backfill }, call) {
      const caller = callerOf(call);
      admission.admitEvents(caller, events.length);
      const results = await tracker.track(caller, events, { backfill, timeoutMs: call.timeoutMs() });
      noteOutcomes(app, call.values.get(recordKey), results);
      return create(TrackUsageResponseSchema, { results });
    },
    getUsage: (request, call) => getUsage(app, callerOf(call).tenantId, request, findPeriodEdges),
    listUsageEvents: (request, call) => listUsageEvents(app, callerOf(call).tenantId, request),
    getUsageRate: (_, call) => getUsageRate(app, callerOf(call).tenantId),
    exportUsageEvents: (request, call) =>
      streams.run(call, (ended) => exportUsageEvents(app, callerOf(call), request, ended)),
    voidUsage: (request, call) => voidUsage(app, callerOf(call), request),
    ...billing,
  };
}
