import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { type UsageEvent, UsageOutcome, UsageResultSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import {
  TrackUsageRequestSchema,
  type TrackUsageResponse,
  TrackUsageResponseSchema,
} from "../../gen/usageflow/v1/usage_service_pb.ts";
import { connectJson, connectProto, grpc, grpcGzip, grpcWeb, type Wire, type WireAnswer } from "./wire.ts";

export const TRACK_USAGE = "/usageflow.v1.UsageService/TrackUsage";

export type EventInit = Partial<Omit<UsageEvent, "$typeName" | "$unknown">>;

export interface Tracked {
  answer: WireAnswer;
  /** One for each event, when the call was not refused. */
  results: TrackUsageResponse["results"];
}

/** A way to send usage. */
export type Door = (
  url: string,
  headers: Record<string, string>,
  events: readonly EventInit[],
  options?: { backfill?: boolean },
) => Promise<Tracked>;

const json = (wire: Wire): Door => door(wire, toJsonString, (bytes) => fromJsonString(TrackUsageResponseSchema, bytes));
const binary = (wire: Wire): Door => door(wire, toBinary, (_, bytes) => fromBinary(TrackUsageResponseSchema, bytes));

/** Every door that there is. `lane` is unary gRPC without compression, which Connect never sees. */
export const doors: Record<string, Door> = {
  track: trackDoor,
  connectJson: json(connectJson),
  connectProto: binary(connectProto),
  lane: binary(grpc),
  grpc: binary(grpcGzip),
  grpcWeb: binary(grpcWeb),
};

function door(
  wire: Wire,
  write: (schema: typeof TrackUsageRequestSchema, request: ReturnType<typeof requestOf>) => string | Uint8Array,
  read: (text: string, bytes: Uint8Array) => TrackUsageResponse,
): Door {
  return async (url, headers, events, options = {}) => {
    const body = write(TrackUsageRequestSchema, requestOf(events, options));
    const answer = await wire({ url, path: TRACK_USAGE, headers, body });
    const results = answer.code === "ok" ? read(Buffer.from(answer.body).toString(), answer.body).results : [];
    return { answer, results };
  };
}

function requestOf(events: readonly EventInit[], options: { backfill?: boolean }) {
  return create(TrackUsageRequestSchema, { events: [...events], ...options });
}

/** `POST /api/track` with an array, its answer in the words of the contract. */
async function trackDoor(
  url: string,
  headers: Record<string, string>,
  events: readonly EventInit[],
  options: { backfill?: boolean } = {},
): Promise<Tracked> {
  const request = JSON.parse(toJsonString(TrackUsageRequestSchema, requestOf(events, {})));
  const response = await fetch(`${url}/api/track${options.backfill ? "?backfill=true" : ""}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(request.events ?? []),
  });
  const body = new Uint8Array(await response.arrayBuffer());
  const { results, error } = JSON.parse(Buffer.from(body).toString());
  const requestId = response.headers.get("x-request-id") ?? "";
  const told = { status: response.status, body, requestId };
  const afterSeconds = response.headers.get("retry-after");
  const retry = error?.retryDelay && { retry: { afterSeconds, delayMs: Number.parseFloat(error.retryDelay) * 1_000 } };
  if (error) return { answer: { ...told, ...error, ...retry }, results: [] };
  return { answer: { ...told, code: "ok", reason: "", field: "", message: "" }, results: results.map(toResult) };
}

function toResult(plain: {
  outcome: string;
  reason?: string;
  field?: string;
  idempotencyKey: string;
  message?: string;
}) {
  return create(UsageResultSchema, {
    ...plain,
    outcome: UsageOutcome[plain.outcome.toUpperCase() as keyof typeof UsageOutcome],
    reason: ErrorReason[(plain.reason ?? "UNSPECIFIED") as keyof typeof ErrorReason],
    field: (plain.field ?? "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  });
}
