import { randomUUID } from "node:crypto";
import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import { ErrorReason } from "../../gen/usageflow/v1/error_pb.ts";
import type { App } from "../app.ts";
import { formatId, type IdPrefix } from "../id.ts";
import type { Facts } from "../observe/fact.ts";
import type { OpenSpan } from "../observe/observer.ts";
import { parseTraceparent } from "../observe/trace.ts";
import type { Caller } from "./caller.ts";
import { codeName, detailOf } from "./errors.ts";
import { reasonName } from "./plain-answer.ts";

/** The method of what is none: a path is whatever somebody writes. */
export const NO_METHOD = "none";

/** What is known of a call before it is read. */
export interface CallStart {
  /** `usageflow.v1.UsageService/TrackUsage`, `POST /api/track`, or none. */
  method: string;
  transport: "connect" | "grpc" | "grpc_web" | "http";
  /** Where it comes from; empty where nobody knows. */
  address: string;
  traceparent: string | null | undefined;
  /** Whether messages go on until somebody ends it: its duration says nothing. */
  streams?: boolean;
  /** Whether it is of no interest when it went well: probes ask every few seconds. */
  quiet?: boolean;
}

/** One call: when it is over it is one line of the log, one value of its metric and one span. */
export class CallRecord {
  readonly requestId = randomUUID();
  readonly address: string;
  readonly #app: App;
  readonly #start: CallStart;
  readonly #span: OpenSpan;
  readonly #startedAt = performance.now();
  #facts: Facts = {};
  #over = false;

  constructor(app: App, start: CallStart) {
    this.#app = app;
    this.#start = start;
    this.address = start.address;
    this.#span = app.observer.begin("rpc", app.observer.tracing ? { parent: parseTraceparent(start.traceparent) } : {});
  }

  /** What follows from the call is traced under it. */
  get trace(): OpenSpan["trace"] {
    return this.#span.trace;
  }

  /** Adds what came out meanwhile. */
  note(facts: Facts): void {
    this.#facts = { ...this.#facts, ...facts };
  }

  /** Says whose call it is. */
  noteCaller(caller: Caller): void {
    this.note(callerFacts(caller));
  }

  /** The call is over, with what its caller was told of an error, or with its code alone, or with none. Only the first end counts. */
  end(error: ConnectError | Code | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const code = error instanceof ConnectError ? error.code : error;
    if (error instanceof ConnectError) this.#noteRefusal(error);
    const { observer, log } = this.#app;
    const { method, transport, address, streams, quiet } = this.#start;
    const ms = performance.now() - this.#startedAt;
    const name = code === undefined ? "ok" : codeName(code);
    if (streams) observer.count("usageflow_rpc_streams_total", { method, code: name });
    else observer.record("usageflow_rpc_duration_seconds", { method, code: name }, ms / 1_000);
    const facts: Facts = {
      method,
      code: name,
      duration_ms: Math.round(ms * 1_000) / 1_000,
      request_id: this.requestId,
      address,
      transport,
      ...(this.trace ? { trace_id: this.trace.traceId } : {}),
      ...this.#facts,
    };
    if (quiet && code === undefined) log.debug("rpc", facts);
    else log.info("rpc", facts);
    this.#span.end(facts, code === Code.Internal || code === Code.Unknown);
  }

  #noteRefusal(error: ConnectError): void {
    const { reason } = detailOf(error);
    // A fault of ours is none, nor is what Connect ends by itself.
    if (reason === ErrorReason.INTERNAL || reason === ErrorReason.UNSPECIFIED) return;
    this.note({ reason: reasonName(reason) });
    this.#app.observer.count("usageflow_rpc_refusals_total", { reason: reasonName(reason) });
  }
}

export const recordKey = createContextKey<CallRecord | undefined>(undefined, { description: "record of the call" });

/** Who calls and where, by the ids that the audit log has. */
function callerFacts({ tenantId, keyId, credential }: Caller): Facts {
  if (!credential) return { tenant_id: shownId("ten", tenantId), key_id: shownId("key", keyId) };
  if (credential.kind === "OPERATOR_KEY") return {};
  const isOrganization = tenantId === credential.organizationId;
  return {
    ...(isOrganization ? {} : { tenant_id: shownId("ten", tenantId) }),
    organization_id: shownId("org", credential.organizationId),
    member_id: shownId("mem", keyId),
    ...(credential.kind === "ACCESS_TOKEN" ? { key_id: shownId("tok", credential.id) } : {}),
  };
}

// An id is long division of 128 bits; the same few keys call again and again.
const shown = new Map<string, string>();
const SHOWN_MAX = 10_000;

/** An id as people see it. */
function shownId(prefix: IdPrefix, uuid: string): string {
  let text = shown.get(uuid);
  if (!text) {
    if (shown.size >= SHOWN_MAX) shown.clear();
    text = formatId(prefix, uuid);
    shown.set(uuid, text);
  }
  return text;
}
