import type { DescMethod, Message } from "@bufbuild/protobuf";
import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Role } from "../../gen/usageflow/v1/permission_pb.ts";
import type { Trace } from "../observe/trace.ts";

/** Who is calling, as what they came with says, where the call runs, and with what guard against being heard twice. */
export interface Caller {
  /** Where the call runs: the tenant; for what is an organization's own, the organization. */
  readonly tenantId: string;
  /** Of the tenant. An organization has real time, as a live tenant. */
  readonly kind: "LIVE" | "TEST";
  /** UUID of the API key, or of the member. */
  readonly keyId: string;
  readonly role: Role;
  /** What they came with. Undefined: an API key. */
  readonly credential?: MemberToken | Invite | OperatorKey;
  /** Set when the call carries an `idempotency-key` header; read by `change`. */
  readonly idempotency?: Idempotency;
  /** The call itself; read by `change`, for the audit log. */
  readonly call?: Call;
}

/** A member's access token. */
export interface MemberToken {
  readonly kind: "ACCESS_TOKEN";
  /** UUID of the token. */
  readonly id: string;
  readonly organizationId: string;
  /** The tenants of the organization: the member may call at each of them. */
  readonly tenants: readonly { readonly id: string; readonly kind: "LIVE" | "TEST" }[];
}

/** The code of an invite. */
export interface Invite {
  readonly kind: "INVITE";
  readonly organizationId: string;
}

/** The operator's key, from the server's configuration. */
export interface OperatorKey {
  readonly kind: "OPERATOR_KEY";
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
  /** Of what was asked, and where the answer holds a secret, of who asked. */
  readonly requestHash: Buffer;
}

export const callerKey = createContextKey<Caller | undefined>(undefined, { description: "caller" });

/** The caller that the authenticating interceptor found. */
export function callerOf(call: HandlerContext): Caller {
  const caller = call.values.get(callerKey);
  if (!caller) throw new Error("a method without authentication");
  return caller;
}

/** The access token of a member who calls. */
export function tokenOf({ credential }: Caller): MemberToken {
  if (credential?.kind !== "ACCESS_TOKEN") throw new Error("a method of the organization without a member");
  return credential;
}
