import { createHash } from "node:crypto";
import { type DescMessage, type DescMethod, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { ConnectError, HandlerContext, Interceptor } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import type { Admission } from "./admission.ts";
import { answerError } from "./answer-error.ts";
import { type Authenticator, keyFrom, ownerOf } from "./authenticate.ts";
import { type CallRecord, recordKey } from "./call-record.ts";
import { type Caller, callerKey } from "./caller.ts";
import { checkContract } from "./contract.ts";
import { timeoutKey } from "./deadline.ts";
import { forbidden, invalid } from "./errors.ts";
import { type Origin, originKey } from "./origin.ts";
import { allows, permissionOf } from "./permission.ts";
import { atPlace, tenantNamed } from "./place.ts";
import type { Refusals } from "./refusals.ts";

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Services that answer without a key: gRPC health and reflection. */
export type OpenServices = ReadonlySet<string>;

/**
 * Runs before the body of a call is read, so that a stranger's is never parsed: finds the caller, and refuses what the
 * contract does not permit it.
 */
export function createGate(app: App, door: Door, open: OpenServices) {
  return async (call: HandlerContext): Promise<void> => {
    const record = recordOf(call.values.get(recordKey));
    call.values.set(timeoutKey, call.timeoutMs());
    call.responseHeader.set("x-request-id", record.requestId);
    if (open.has(call.service.typeName)) return;
    try {
      const sent = credentialsFrom((name) => call.requestHeader.get(name));
      const about = { method: call.method, record, origin: call.values.get(originKey) };
      call.values.set(callerKey, await letIn(door, sent, about));
    } catch (error) {
      const told = answerError(app, error, record.requestId);
      record.end(told.code);
      throw told;
    }
  };
}

/** What a request says of who calls. */
export interface Credentials {
  key: string | undefined;
  /** The tenant that it names. */
  tenant: string | undefined;
}

/** The key and the tenant in the headers of a request. */
export function credentialsFrom(header: (name: string) => string | null | undefined): Credentials {
  return { key: keyFrom(header), tenant: tenantNamed(header) };
}

/** What decides about a call before it is read. */
export interface Door {
  readonly authenticator: Authenticator;
  readonly refusals: Refusals;
  readonly admission: Admission;
}

/**
 * The caller, whom the contract permits the method, and who does not call too much; what is refused for who calls is told to
 * the audit log.
 */
export async function letIn(
  { authenticator, refusals, admission }: Door,
  { key, tenant }: Credentials,
  { method, record, origin }: { method: DescMethod; record: CallRecord; origin: Origin },
): Promise<Caller> {
  const { requestId, address, trace } = record;
  const call = { method, requestId, address, trace };
  let caller: Caller | undefined;
  try {
    caller = await authenticator.authenticate(key, origin);
    caller = atPlace(caller, method, tenant);
    record.noteCaller(caller);
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
  throw forbidden(`your role lacks the permission ${needed || "for this method"}`);
}

/** The end of each call is recorded, and every error has the form of the contract. */
export function accessLog(app: App, refusals: Refusals): Interceptor {
  return (next) => async (request) => {
    const record = recordOf(request.contextValues.get(recordKey));
    const caller = request.contextValues.get(callerKey);
    const tell = (error: unknown) => {
      if (caller?.call) refusals.note({ ...caller.call, key: undefined, caller }, error);
      const told = answerError(app, error, record.requestId);
      record.end(told.code);
      return told;
    };
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: toldStream(response.message, record, tell) };
      record.end(undefined);
      return response;
    } catch (error) {
      throw tell(error);
    }
  };
}

/** A stream is over when its last message is out, or an error ends it. */
async function* toldStream<T>(
  messages: AsyncIterable<T>,
  record: CallRecord,
  tell: (error: unknown) => ConnectError,
): AsyncIterable<T> {
  try {
    yield* messages;
    record.end(undefined);
  } catch (error) {
    throw tell(error);
  }
}

function recordOf(record: CallRecord | undefined): CallRecord {
  if (!record) throw new Error("a call without a record");
  return record;
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
    // An answer may hold a secret, which is only for who asked first: the same from somebody else is another request.
    const message = toBinary(request.method.input, request.message);
    const requestHash = createHash("sha256").update(caller.keyId).update(message).digest();
    const method = `${request.service.typeName}/${request.method.name}`;
    request.contextValues.set(callerKey, { ...caller, idempotency: { key, method, requestHash } });
    return next(request);
  };
}
