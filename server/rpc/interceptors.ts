import { createHash, randomUUID } from "node:crypto";
import { type DescMessage, type DescMethod, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type ConnectError, createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import type { Admission } from "./admission.ts";
import { answerError } from "./answer-error.ts";
import { type Authenticator, keyFrom, ownerOf } from "./authenticate.ts";
import { type Call, type Caller, callerKey } from "./caller.ts";
import { checkContract } from "./contract.ts";
import { timeoutKey } from "./deadline.ts";
import { forbidden, invalid } from "./errors.ts";
import { type Origin, originKey } from "./origin.ts";
import { allows, permissionOf } from "./permission.ts";
import type { Refusals } from "./refusals.ts";

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

const requestIdKey = createContextKey("", { description: "request id" });

/** Services that answer without a key: gRPC health and reflection. */
export type OpenServices = ReadonlySet<string>;

/**
 * Runs before the body of a call is read, so that a stranger's is never parsed: gives the call its request id, finds the
 * caller, and refuses what the contract does not permit it.
 */
export function createGate(app: App, door: Door, open: OpenServices) {
  return async (call: HandlerContext): Promise<void> => {
    const requestId = randomUUID();
    call.values.set(requestIdKey, requestId);
    call.values.set(timeoutKey, call.timeoutMs());
    call.responseHeader.set("x-request-id", requestId);
    if (open.has(call.service.typeName)) return;
    try {
      const key = keyFrom((name) => call.requestHeader.get(name));
      const about = { method: call.method, requestId, origin: call.values.get(originKey) };
      call.values.set(callerKey, await letIn(door, key, about));
    } catch (error) {
      const told = answerError(app, error, requestId);
      app.log.info("rpc.refused", {
        method: `${call.service.typeName}/${call.method.name}`,
        request_id: requestId,
        code: told.code,
      });
      throw told;
    }
  };
}

/** What decides about a call before it is read. */
export interface Door {
  readonly authenticator: Authenticator;
  readonly refusals: Refusals;
  readonly admission: Admission;
}

/**
 * The caller of a key, whom the contract permits the method, and who does not call too much; what is refused for who calls is
 * told to the audit log.
 */
export async function letIn(
  { authenticator, refusals, admission }: Door,
  key: string | undefined,
  { method, requestId, origin }: Pick<Call, "method" | "requestId"> & { origin: Origin },
): Promise<Caller> {
  const call = { method, requestId, address: authenticator.addressOf(origin) };
  let caller: Caller | undefined;
  try {
    caller = await authenticator.authenticate(key, origin);
    permit(caller, method);
    admission.admit(caller, method);
    return { ...caller, call };
  } catch (error) {
    refusals.note({ ...call, key, caller: caller ?? ownerOf(error) }, error);
    throw error;
  }
}

/** Refuses a caller whose role lacks the permission that the contract asks for. */
export function permit(caller: Caller, method: DescMethod): void {
  const needed = permissionOf(method);
  if (needed && allows(caller.role, needed)) return;
  throw forbidden(`your key's role lacks the permission ${needed || "for this method"}`);
}

/** One line for each call, and every error in the form of the contract. */
export function accessLog(app: App, refusals: Refusals): Interceptor {
  return (next) => async (request) => {
    const started = app.clock.now().getTime();
    const requestId = request.contextValues.get(requestIdKey);
    const caller = request.contextValues.get(callerKey);
    const facts = {
      method: `${request.service.typeName}/${request.method.name}`,
      request_id: requestId,
      tenant_id: caller?.tenantId,
      key_id: caller?.keyId,
    };
    const log = (code: number) =>
      app.log.info("rpc", { ...facts, code, duration_ms: app.clock.now().getTime() - started });
    const tell = (error: unknown) => {
      if (caller?.call) refusals.note({ ...caller.call, key: undefined, caller }, error);
      const told = answerError(app, error, requestId);
      log(told.code);
      return told;
    };
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: toldStream(response.message, log, tell) };
      log(0);
      return response;
    } catch (error) {
      throw tell(error);
    }
  };
}

/** A stream is over when its last message is out, or an error ends it. */
async function* toldStream<T>(
  messages: AsyncIterable<T>,
  log: (code: number) => void,
  tell: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
    log(0);
  } catch (error) {
    throw tell(error);
  }
}

/** Holds the limits that the contract writes with `buf.validate`. */
export function validate(): Interceptor {
  return (next) => async (request) => {
    const { input } = request.method;
    if (request.stream) return next({ ...request, message: checkedStream(input, request.message) });
    checkContract(input, request.message);
    return next(request);
  };
}

async function* checkedStream<D extends DescMessage>(
  schema: D,
  messages: AsyncIterable<MessageShape<D>>,
): AsyncIterable<MessageShape<D>> {
  for await (const message of messages) {
    checkContract(schema, message);
    yield message;
  }
}

/** Keeps what was asked with the caller, for the audit log. */
export function keepRequest(): Interceptor {
  return (next) => (request) => {
    const caller = request.contextValues.get(callerKey);
    if (caller?.call && !request.stream) {
      const { message } = request;
      request.contextValues.set(callerKey, { ...caller, call: { ...caller.call, request: message } });
    }
    return next(request);
  };
}

/** Reads the `idempotency-key` header into the caller, for `change` to act on. */
export function idempotency(): Interceptor {
  return (next) => async (request) => {
    const key = request.header.get("idempotency-key");
    const caller = request.contextValues.get(callerKey);
    if (key === null || !caller || request.stream) return next(request);
    if (!IDEMPOTENCY_KEY.test(key)) {
      throw invalid(
        "idempotency-key",
        "idempotency-key: 1 to 255 printable ASCII characters",
        ErrorReason.INVALID_FIELD,
      );
    }
    const requestHash = createHash("sha256").update(toBinary(request.method.input, request.message)).digest();
    const method = `${request.service.typeName}/${request.method.name}`;
    request.contextValues.set(callerKey, { ...caller, idempotency: { key, method, requestHash } });
    return next(request);
  };
}
