import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { errorFacts } from "../log.ts";
import { explainRefusal } from "./connect-refusal.ts";
import { detailOf, laterAgain, overloaded, refusal } from "./errors.ts";

/** What a caller is told of an error. Ours are logged with their cause, and told as nothing but `internal`. */
export function answerError(app: App, error: unknown, requestId: string): ConnectError {
  const known = error instanceof ConnectError ? withReason(error) : databaseRefusal(error);
  if (known) {
    const [, ...others] = known.details; // ours is the first
    known.details = [{ desc: ErrorDetailSchema, value: { ...detailOf(known), requestId } }, ...others];
    return known;
  }
  app.log.error("rpc.fault", { request_id: requestId, ...errorFacts(error) });
  const message = `a fault of ours, logged as ${requestId}; try again, and report it if it stays`;
  const fault = refusal(Code.Internal, ErrorReason.INTERNAL, message);
  fault.details = [{ desc: ErrorDetailSchema, value: { reason: ErrorReason.INTERNAL, requestId } }];
  return fault;
}

/** What a stream reads of its request, Connect parses, and refuses, in the middle of our code. */
function withReason(error: ConnectError): ConnectError {
  return error.details.length > 0 ? error : explainRefusal(error);
}

// PostgreSQL's error classes (its manual, appendix A): what is a matter of load or of the connection, and no fault.
const LOST = /^(08...|57P0[1-5]|ECONN[A-Z]+|EPIPE|ENOTFOUND|ETIMEDOUT)$/;
const BUSY = /^(53...|55P03|57014|40001|40P01)$/;

function databaseRefusal(error: unknown): ConnectError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (LOST.test(code) || /Connection terminated|is not queryable/.test(error.message)) {
    const lost = refusal(Code.Unavailable, ErrorReason.UNAVAILABLE, "the database cannot be reached; try again");
    return laterAgain(lost, 1_000);
  }
  if (BUSY.test(code) || /timeout exceeded when trying to connect/.test(error.message)) {
    return overloaded("the server is busy; try again");
  }
  return undefined;
}
