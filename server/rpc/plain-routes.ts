import { Code } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import type { ReadinessCheck } from "../readiness.ts";
import { answerError } from "./answer-error.ts";
import type { Authenticator } from "./authenticate.ts";
import { CallRecord, NO_METHOD } from "./call-record.ts";
import { refusal } from "./errors.ts";
import type { NodeHandler, NodeRequest, NodeResponse } from "./one-port.ts";
import { originOf } from "./origin.ts";
import { sendJson, sendRefusal } from "./plain-answer.ts";

/** Routes by method and path: `POST /api/track`. */
export type Routes = Record<string, NodeHandler>;

/** What is no RPC: `/healthz` (alive), `/readyz` (able to serve), the given routes, and readable refusals of the rest. */
export function plainRoutes(
  app: App,
  { readiness, authenticator }: { readiness: ReadinessCheck; authenticator: Authenticator },
  given: Routes,
): NodeHandler {
  const routes = new Map(
    Object.entries({
      ...given,
      "GET /healthz": (_, response) => sendJson(response, 200, { status: "alive" }),
      "GET /readyz": (_, response) => void tellReadiness(readiness, response),
    } satisfies Routes),
  );
  return (request, response) => {
    const path = (request.url ?? "").split("?", 1)[0];
    const route = routes.get(`${request.method} ${path}`);
    if (route) route(request, response);
    else refuse({ app, authenticator }, request, response, path, [...routes.keys()]);
  };
}

async function tellReadiness(readiness: ReadinessCheck, response: NodeResponse): Promise<void> {
  const { status, reasons, loopReasons, ...rest } = await readiness.look();
  sendJson(response, status === "ready" ? 200 : 503, { status, reasons: [...reasons, ...loopReasons], ...rest });
}

function refuse(
  { app, authenticator }: { app: App; authenticator: Authenticator },
  request: NodeRequest,
  response: NodeResponse,
  path: string | undefined,
  keys: string[],
) {
  const methods = keys.filter((key) => key.endsWith(` ${path}`)).map((key) => key.split(" ", 1)[0]);
  const message =
    methods.length > 0
      ? `${path} takes ${methods.join(", ")}, not ${request.method}`
      : `there is nothing at ${request.method} ${path}; RPCs are at POST /usageflow.v1.<Service>/<Method>`;
  const error = refusal(Code.Unimplemented, ErrorReason.UNKNOWN_ROUTE, message);
  const record = new CallRecord(app, {
    method: NO_METHOD,
    transport: "http",
    address: authenticator.addressOf(originOf(request)),
    traceparent: request.headers.traceparent?.toString(),
  });
  const { requestId } = record;
  const told = answerError(app, error, requestId);
  record.end(told);
  sendRefusal(request, response, told, requestId, methods.length > 0 ? 405 : 404);
}
