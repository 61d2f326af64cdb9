import { constants, type ServerHttp2Stream } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { UsageResult } from "../../gen/usageflow/v1/usage_pb.ts";
import {
  type TrackUsageRequest,
  TrackUsageRequestSchema,
  TrackUsageResponseSchema,
  UsageService,
} from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import { answerError } from "../rpc/answer-error.ts";
import { safetyHeaders } from "../rpc/answer-headers.ts";
import { CallRecord } from "../rpc/call-record.ts";
import type { Caller } from "../rpc/caller.ts";
import { checkContract } from "../rpc/contract.ts";
import { invalid, tooLarge } from "../rpc/errors.ts";
import { setStatus } from "../rpc/grpc-status.ts";
import { credentialsFrom, type Door, letIn } from "../rpc/interceptors.ts";
import type { StreamLane } from "../rpc/one-port.ts";
import { originOf } from "../rpc/origin.ts";
import { noteOutcomes } from "./note-outcomes.ts";
import type { Tracker } from "./track-usage.ts";

// A lane of its own for unary gRPC calls of TrackUsage: Connect spends several times what the call itself costs on each
// request. The same checks in the same order and the same verb; anything unusual (compression) goes to Connect.

const PATH = `/${UsageService.typeName}/${UsageService.method.trackUsage.name}`;
const TIMEOUT = /^(?:([0-9]{1,8})([HMSmun]))?$/; // of a call: how long its client waits
const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const PREFIX_BYTES = 5; // of a gRPC message: a flag, and the length in four bytes

/** Takes the streams that are plain gRPC calls of TrackUsage. */
export function trackLane(app: App, door: Door, tracker: Tracker): StreamLane {
  const safety = safetyHeaders(app.config);
  return (stream, headers) => {
    if (headers[":path"] !== PATH || headers[":method"] !== "POST") return false;
    const type = headers["content-type"];
    if (type !== "application/grpc" && type !== "application/grpc+proto") return false;
    if ((headers["grpc-encoding"] ?? "identity") !== "identity") return false;
    const timeout = TIMEOUT.exec(headers["grpc-timeout"]?.toString() ?? "");
    if (!timeout) return false;
    const sent = credentialsFrom((name) => headers[name]?.toString());
    const origin = originOf({ socket: stream.session?.socket, headers });
    const record = new CallRecord(app, {
      method: PATH.slice(1),
      transport: "grpc",
      address: door.authenticator.addressOf(origin),
      traceparent: headers.traceparent?.toString(),
    });
    const enter = () => letIn(door, sent, { method: UsageService.method.trackUsage, record, origin });
    const track = async (caller: Caller, { events, backfill }: TrackUsageRequest) => {
      door.admission.admitEvents(caller, events.length);
      return tracker.track(caller, events, { backfill, timeoutMs: timeoutMsOf(timeout) });
    };
    void answer(app, { enter, track, headers: safety }, stream, record);
    return true;
  };
}

interface LaneCall {
  enter: () => Promise<Caller>;
  track: (caller: Caller, request: TrackUsageRequest) => Promise<UsageResult[]>;
  /** Of every answer. */
  headers: Record<string, string>;
}

async function answer(
  app: App,
  { enter, track, headers }: LaneCall,
  stream: ServerHttp2Stream,
  record: CallRecord,
): Promise<void> {
  const { requestId } = record;
  stream.on("error", () => {}); // the client is gone, and so is whom to tell
  // A client that begins a message and never ends it would hold the stream for ever.
  stream.setTimeout(app.config.requestTimeoutMs, () => stream.close(constants.NGHTTP2_CANCEL));
  try {
    const caller = await enter();
    const request = readRequest(await readFrame(stream, app.config.requestBytesMax));
    const results = await track(caller, request);
    const message = toBinary(TrackUsageResponseSchema, create(TrackUsageResponseSchema, { results }));
    sendMessage(stream, message, { ...headers, "x-request-id": requestId });
    noteOutcomes(app, record, results);
    record.end(undefined);
  } catch (error) {
    const told = answerError(app, error, requestId);
    const trailer = new Headers({ "x-request-id": requestId });
    setStatus(trailer, told);
    if (!stream.closed) {
      stream.respond(
        { ":status": 200, "content-type": "application/grpc+proto", ...headers, ...Object.fromEntries(trailer) },
        { endStream: true },
      );
    }
    record.end(told);
  }
}

function timeoutMsOf([, number, unit = ""]: RegExpExecArray): number | undefined {
  return number === undefined ? undefined : Number(number) * (UNIT_MS[unit] ?? 0);
}

function readFrame(stream: ServerHttp2Stream, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    // While the caller was looked up: there was nothing to read, and nobody hears of that end twice.
    if (stream.readableEnded) return resolve(Buffer.alloc(0));
    if (stream.destroyed) return reject(brokenOff());
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= bytesMax + PREFIX_BYTES) return;
      stream.removeAllListeners("data").resume();
      reject(tooLarge(`the message is larger than ${bytesMax} bytes; send fewer events at a time`));
    });
    stream.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    stream.on("aborted", () => reject(brokenOff()));
  });
}

function readRequest(frame: Buffer): TrackUsageRequest {
  if (frame.length < PREFIX_BYTES || frame.readUInt32BE(1) !== frame.length - PREFIX_BYTES || frame[0] !== 0) {
    throw malformed("the body is not one plain gRPC message");
  }
  let request: TrackUsageRequest;
  try {
    request = fromBinary(TrackUsageRequestSchema, frame.subarray(PREFIX_BYTES));
  } catch (error) {
    throw malformed(`the message does not parse: ${error instanceof Error ? error.message : error}`);
  }
  checkContract(TrackUsageRequestSchema, request);
  return request;
}

function brokenOff() {
  return malformed("the message broke off");
}

function malformed(message: string) {
  return invalid("", message, ErrorReason.MALFORMED_BODY);
}

function sendMessage(stream: ServerHttp2Stream, message: Uint8Array, headers: Record<string, string>): void {
  if (stream.closed) return; // the client stopped waiting
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto", ...headers }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(frame);
}
