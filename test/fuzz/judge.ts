import { fromBinary } from "@bufbuild/protobuf";
import { UsageOutcome } from "../../gen/usageflow/v1/usage_pb.ts";
import { TrackUsageResponseSchema } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { WireAnswer } from "../support/wire.ts";
import type { FuzzCase } from "./any-case.ts";

// What an answer may be. Everything else is a fault of ours, and a finding.

const CODES = new Set([
  ...["ok", "invalid_argument", "not_found", "already_exists", "failed_precondition", "permission_denied"],
  ...["resource_exhausted", "unimplemented", "unauthenticated", "deadline_exceeded", "canceled"],
]);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Of the body as a whole, which is no message: no field of it is at fault. */
const OF_THE_BODY = new Set(["MALFORMED_BODY", "UNSUPPORTED_CONTENT_TYPE", "TOO_LARGE"]);
/** Of a body of JSON that is no object, or of none, for `POST /api/track`. */
const OF_NO_OBJECT = /^(an event is a JSON object|an array of 1 to)/;
const SECRET = /uf_(live|test|pat|inv)_[0-9A-Za-z]{40}/;
/** Of what may be told of our insides: nothing. */
const INSIDES = /\.[jt]s:\d+:\d+|node_modules|postgres|relation "|syntax error at|violates|usageflow_(app|worker)/;

/** What is wrong with an answer; undefined: nothing. */
export function faultOf(made: FuzzCase, answer: WireAnswer): string | undefined {
  const { code, reason, field, status, message, requestId } = answer;
  if (!CODES.has(code)) return `the code ${code || "that is none"}`;
  if (status >= 500 && !(code === "unimplemented" || code === "deadline_exceeded")) return `the status ${status}`;
  if (code === "ok") return faultInResults(made, answer);
  const ended = code === "deadline_exceeded" || code === "canceled"; // streams do, as they were asked to
  if (!UUID.test(requestId)) return `the request id "${requestId}"`;
  if (!reason && !ended) return "no reason";
  if (message.trim() === "" && !ended) return "no message";
  if (SECRET.test(message)) return "a secret in the message";
  if (INSIDES.test(message)) return "our insides in the message";
  const needsField = code === "invalid_argument" && !OF_THE_BODY.has(reason) && !OF_NO_OBJECT.test(message);
  return needsField && field === "" ? "no field" : undefined;
}

/** TrackUsage answers for its events one by one: each that is rejected has a reason, and a field. */
function faultInResults({ path, way }: FuzzCase, { body }: WireAnswer): string | undefined {
  if (!path.endsWith("/TrackUsage") && way !== "track") return undefined;
  const isText = way === "track" || way === "connectJson";
  const results: { outcome: unknown; reason?: unknown; field?: string }[] = isText
    ? [JSON.parse(Buffer.from(body).toString())].flatMap((json) => json.results ?? [json])
    : fromBinary(TrackUsageResponseSchema, body).results;
  const isRejected = ({ outcome }: { outcome: unknown }) =>
    outcome === UsageOutcome.REJECTED || outcome === "rejected" || outcome === "USAGE_OUTCOME_REJECTED";
  const wrong = results.find(
    (one) =>
      isRejected(one) &&
      (!one.reason || !one.field) &&
      !/array|object/.test(String((one as { message?: string }).message)),
  );
  return wrong && `a rejected event without ${wrong.reason ? "a field" : "a reason"}`;
}
