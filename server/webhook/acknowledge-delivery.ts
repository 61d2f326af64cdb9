import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { AttemptErrorKind, AttemptErrorKindSchema } from "../../gen/usageflow/v1/webhook_pb.ts";
import {
  type AcknowledgeDeliveryRequest,
  AcknowledgeDeliveryResponseSchema,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import type { Tx } from "../db/database.ts";
import type { Caller } from "../rpc/caller.ts";
import { change } from "../rpc/change.ts";
import { invalid, stateConflict } from "../rpc/errors.ts";
import { whatFollows } from "./attempt.ts";
import { type DeliveryRow, getDeliveryRow, toDelivery } from "./delivery.ts";
import { type ErrorKind, type Failure, failureOfStatus } from "./failure.ts";
import { retryAfterMs } from "./retry-after.ts";
import { settleDeliveries } from "./settle-deliveries.ts";

/**
 * Settles a delivery with what the client of its listener tells. The number of the attempt says which: what was told
 * before, or is over, stays as it is. A listener that fails is not slowed down, disabled or told of: a person looks on.
 */
export function acknowledgeDelivery(app: App, caller: Caller, request: AcknowledgeDeliveryRequest) {
  const { tenantId } = caller;
  const failure = failureOf(request);
  return change(app, caller, AcknowledgeDeliveryResponseSchema, async (tx) => {
    const row = await getDeliveryRow(tx, tenantId, request.deliveryId);
    await checkListener(tx, row);
    const claimed = await claim(app, tx, row, request.attempt);
    if (claimed) await settleDeliveries(tx, [settlementOf(app, row, claimed, request, failure)]);
    return create(AcknowledgeDeliveryResponseSchema, {
      delivery: toDelivery(await getDeliveryRow(tx, tenantId, request.deliveryId)),
    });
  });
}

async function checkListener(tx: Tx, row: DeliveryRow): Promise<void> {
  const endpoint = await tx
    .selectFrom("endpoint")
    .select("listener_name")
    .where("tenant_id", "=", row.tenant_id)
    .where("id", "=", row.endpoint_id)
    .executeTakeFirst();
  if (endpoint?.listener_name) return;
  throw stateConflict("this delivery goes to a URL; only those that Listen streamed are acknowledged");
}

interface Claimed {
  lease_token: string;
  attempt_count: number;
  attempt_base: number;
}

/** Takes what waits for this very attempt, as a worker would: what settles it checks the token. */
async function claim(app: App, tx: Tx, row: DeliveryRow, attempt: number): Promise<Claimed | undefined> {
  const { rows } = await sql<Claimed>`
    update delivery_due set lease_until = ${app.clock.now()}, lease_token = ${randomUUID()}
    where tenant_id = ${row.tenant_id} and delivery_id = ${row.id} and attempt_count = ${attempt - 1}
    returning lease_token, attempt_count, attempt_base`.execute(tx);
  return rows[0];
}

function settlementOf(
  app: App,
  row: DeliveryRow,
  claimed: Claimed,
  request: AcknowledgeDeliveryRequest,
  failure: Failure | undefined,
) {
  const now = app.clock.now();
  const tookMs = request.duration ? durationMs(request.duration) : 0;
  const asked = failure && retryAfterMs(request.responseHeaders["retry-after"], now, app.config.retryAfterMaxMs);
  const told = {
    tenant_id: row.tenant_id,
    id: row.id,
    endpoint_id: row.endpoint_id,
    endpoint_failing: false,
    in_lane: false, // a listener's stream keeps the order itself
    lease_token: claimed.lease_token,
    sent_at: plusMs(now, -tookMs), // by our clock: a client's may be wrong
    duration_us: Math.round(tookMs * 1_000),
    resolve_us: null,
    connect_us: null,
    first_byte_us: null,
    status: request.status,
    error: failure?.words ?? "",
    error_kind: failure?.kind ?? ("" as const),
    response_headers: request.responseHeaders,
    response_body: request.responseBody,
    worker: request.client,
    retryAfterMs: asked,
  };
  return { ...told, ...whatFollows(app, claimed, told, now) };
}

const WORDS: Partial<Record<ErrorKind, string>> = {
  DNS: "the name does not resolve",
  REFUSED_ADDRESS: "the address is not one that the client forwards to",
  CONNECT: "the connection was refused, or there was none",
  TLS: "TLS failed",
  TIMEOUT: "no complete answer in time",
  RESET: "the connection broke",
  TOO_LARGE: "the headers of the answer are too large",
  PROTOCOL: "the answer is not valid HTTP",
};

/** Why it failed, as the client tells it; undefined: it was taken. */
function failureOf({ status, errorKind }: AcknowledgeDeliveryRequest): Failure | undefined {
  if (errorKind === AttemptErrorKind.UNSPECIFIED) {
    if (status === 0) throw invalid("error_kind", "error_kind must be given where there was no status");
    return failureOfStatus(status);
  }
  const kind = (AttemptErrorKindSchema.value[errorKind]?.name ?? "").replace("ATTEMPT_ERROR_KIND_", "") as ErrorKind;
  return { kind, words: WORDS[kind] ?? `the receiver answered ${status}` };
}
