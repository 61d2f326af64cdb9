import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { TrackUsageResponseSchema, type UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import { callerOf } from "../rpc/caller.ts";
import type { Tracker } from "./track-usage.ts";

/** UsageService: which file does what. */
export function usageService(tracker: Tracker): ServiceImpl<typeof UsageService> {
  return {
    trackUsage: async (request, call) =>
      create(TrackUsageResponseSchema, { results: await tracker.track(callerOf(call), request.events, request) }),
  };
}
