import type { DescMethod, Message } from "@bufbuild/protobuf";
import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import type { Trace } from "../observe/trace.ts";

/** Who is calling, as its API key says, and with what guard against being heard twice. */
export interface Caller {
  readonly tenantId: string;
  readonly kind: "LIVE" | "TEST";
  /** UUID of the API key. */
  readonly keyId: string;
  readonly role: Role;
  /** Set when the call carries an `idempotency-key` header; read by `change`. */
  readonly idempotency?: Idempotency;
  /** The call itself; read by `change`, for the audit log. */
  readonly call?: Call;
}

export interface Call {
  readonly method: DescMethod;
  readonly requestId: string;
  /** Where it came from, as the network and trusted proxies say. Empty: a proxy says what is no address. */
  readonly address: string;
  /** The span that what it changes follows from. Undefined: it is not traced. */
  readonly trace?: Trace | undefined;
  /** What was asked. Undefined for what streams. */
  readonly request?: Message;
}

export interface Idempotency {
  readonly key: string;
  /** The method, `usageflow.v1.PricingService/PushCatalog`. */
  readonly method: string;
  readonly requestHash: Buffer;
}

export const callerKey = createContextKey<Caller | undefined>(undefined, { description: "caller" });

/** The caller that the authenticating interceptor found. */
export function callerOf(call: HandlerContext): Caller {
  const caller = call.values.get(callerKey);
  if (!caller) throw new Error("a method without authentication");
  return caller;
}
