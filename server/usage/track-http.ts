import { isUtf8 } from "node:buffer";
import type { JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import { UsageOutcome, UsageOutcomeSchema, type UsageResult } from "../../gen/usageflow/v1/usage_pb.ts";
import { UsageService } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { App } from "../app.ts";
import type { Admission } from "../rpc/admission.ts";
import { answerError } from "../rpc/answer-error.ts";
import { CallRecord } from "../rpc/call-record.ts";
import type { Caller } from "../rpc/caller.ts";
import { detailOf, invalid, refusal, tooLarge } from "../rpc/errors.ts";
import { credentialsFrom, type Door, letIn } from "../rpc/interceptors.ts";
import type { NodeHandler, NodeRequest } from "../rpc/one-port.ts";
import { originOf } from "../rpc/origin.ts";
import { reasonName, sendError, sendJson } from "../rpc/plain-answer.ts";
import { noteOutcomes } from "./note-outcomes.ts";
import { parseExactJson, readEvent } from "./read-json.ts";
import { rejected, type Tracker } from "./track-usage.ts";

const EVENTS_MAX = 1_000;

/**
 * `POST /api/track`: one event as a JSON object, or up to 1,000 in an array. One event answers 200 (accepted, duplicate),
 * 409 (conflict) or 400 (rejected); an array answers 200 with the outcomes in order.
 */
export function trackRoute(app: App, door: Door, tracker: Tracker): NodeHandler {
  return (request, response) => {
    const sent = credentialsFrom((name) => request.headers[name]?.toString());
    const origin = originOf(request);
    const record = new CallRecord(app, {
      method: "POST /api/track",
      transport: "http",
      address: door.authenticator.addressOf(origin),
      traceparent: request.headers.traceparent?.toString(),
    });
    const { requestId } = record;
    // Over HTTP/1.1 the server's own limits hold; an HTTP/2 stream that never ends would be held for ever.
    if ("stream" in request) request.stream.setTimeout(app.config.requestTimeoutMs, () => request.stream.close());
    const end = (status: number, error: ConnectError | Code | undefined) => {
      record.note({ status });
      record.end(error);
    };
    const enter = () => letIn(door, sent, { method: UsageService.method.trackUsage, record, origin });
    track(app, enter, door.admission, tracker, request).then(
      ({ status, code, body, results }) => {
        sendJson(response, status, body, requestId);
        noteOutcomes(app, record, results);
        end(status, code);
      },
      (error) => {
        const told = answerError(app, error, requestId);
        const status = sendError(response, told, requestId, statusOf(error));
        if (!request.complete && request.httpVersionMajor === 1) passOver(request, app.config.requestBytesMax);
        end(status, told);
      },
    );
  };
}

async function track(
  app: App,
  enter: () => Promise<Caller>,
  admission: Admission,
  tracker: Tracker,
  request: NodeRequest,
): Promise<{ status: number; code: Code | undefined; body: unknown; results: readonly UsageResult[] }> {
  const { headers } = request;
  const caller = await enter();
  if (!isJson(headers["content-type"]) || (headers["content-encoding"] ?? "identity") !== "identity") {
    throw refusal(
      Code.InvalidArgument,
      ErrorReason.UNSUPPORTED_CONTENT_TYPE,
      "send the body as plain JSON, with content-type: application/json",
    );
  }
  const body = await readBody(request, app.config.requestBytesMax);
  if (!isUtf8(body)) throw invalid("", "the body is not valid UTF-8", ErrorReason.MALFORMED_BODY);
  const json = parseExactJson(body.toString());
  const backfill = /[?&]backfill=true(&|$)/.test(request.url ?? "");
  if (!Array.isArray(json)) {
    admission.admitEvents(caller, 1);
    const results = await trackAll(tracker, caller, [json], backfill);
    const [result] = results as [UsageResult];
    return { ...(ANSWERS[result.outcome] ?? FAILED), body: toPlain(result), results };
  }
  if (json.length === 0 || json.length > EVENTS_MAX) {
    const reason = json.length === 0 ? ErrorReason.INVALID_FIELD : ErrorReason.TOO_LARGE;
    throw invalid("", `an array of 1 to ${EVENTS_MAX} events, and not of ${json.length}`, reason);
  }
  admission.admitEvents(caller, json.length);
  const results = await trackAll(tracker, caller, json, backfill);
  return { ...DONE, body: { results: results.map(toPlain) }, results };
}

const DONE = { status: 200, code: undefined };
/** What the answer for one event comes to. */
const FAILED = { status: 500, code: Code.Internal };
const ANSWERS: Record<UsageOutcome, { status: number; code: Code | undefined }> = {
  [UsageOutcome.UNSPECIFIED]: FAILED,
  [UsageOutcome.ACCEPTED]: DONE,
  [UsageOutcome.DUPLICATE]: DONE,
  [UsageOutcome.CONFLICT]: { status: 409, code: Code.AlreadyExists },
  [UsageOutcome.REJECTED]: { status: 400, code: Code.InvalidArgument },
};

/** Tracks what can be read as events, and puts the answers for the rest in their places. */
async function trackAll(tracker: Tracker, caller: Caller, json: readonly JsonValue[], backfill: boolean) {
  const read = json.map(readEvent);
  const events = read.filter((one) => "$typeName" in one);
  const results = events.length > 0 ? await tracker.track(caller, events, { backfill }) : [];
  let next = 0;
  return read.map((one) => ("$typeName" in one ? (results[next++] as UsageResult) : rejected(one, "")));
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json *(;.*)?$/i.test(contentType ?? "");
}

function readBody(request: NodeRequest, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    if (request.readableEnded) return resolve(Buffer.alloc(0)); // while the caller was looked up, and never again
    const breakOff = () => reject(invalid("", "the body broke off", ErrorReason.MALFORMED_BODY));
    if (request.destroyed) return breakOff();
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bytesMax) chunks.push(chunk);
      else {
        request.pause();
        reject(tooLarge(`the body is larger than ${bytesMax} bytes; send fewer events at a time`));
      }
    });
    request.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("aborted", breakOff);
  });
}

/**
 * What was not read of a refused body would be taken for the next request: it is thrown away as it comes. Where there is no
 * end to it in sight, the connection goes with it.
 */
function passOver(request: NodeRequest, bytesMax: number): void {
  if (Number(request.headers["content-length"]) <= bytesMax) request.resume();
  else request.socket.destroySoon();
}

/** Where this route says more by its status than the code's own one does. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const { reason } = detailOf(error);
  if (reason === ErrorReason.TOO_LARGE && error.code === Code.ResourceExhausted) return 413;
  return reason === ErrorReason.UNSUPPORTED_CONTENT_TYPE ? 415 : undefined;
}

/** An answer as this route writes it: `accepted`, and field names as the client wrote them. */
function toPlain(result: UsageResult) {
  const outcome = (UsageOutcomeSchema.value[result.outcome]?.name ?? "").replace("USAGE_OUTCOME_", "").toLowerCase();
  const plain = { outcome, idempotencyKey: result.idempotencyKey };
  if (result.reason === ErrorReason.UNSPECIFIED) return plain;
  // Names of fields only: what stands in brackets is the client's own.
  const field = result.field.replace(/(?<=^[a-z_]*[a-z])_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { ...plain, reason: reasonName(result.reason), field, message: result.message };
}
