import { create } from "@bufbuild/protobuf";
import {
  HeartbeatSchema,
  ListenDeliverySchema,
  ListenReadySchema,
  type ListenRequest,
  type ListenResponse,
  ListenResponseSchema,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { plusMs } from "../clock.ts";
import { formatId } from "../id.ts";
import { errorFacts } from "../log.ts";
import { HEARTBEAT_MS, heartbeatInterval } from "../rpc/streams.ts";
import { messageOf } from "./attempt.ts";
import { type Due, type Listening, type ReadDelivery, readDue } from "./due-deliveries.ts";
import { secretPlace, toEndpoint } from "./endpoint.ts";
import { HOLD_RENEW_MS, type Hold, releaseHold, renewHold, takeListener } from "./listener.ts";
import type { Lookout } from "./lookout.ts";
import { formatSecret } from "./signature.ts";
import { createTargets, type Target } from "./target.ts";

// Bodies that are read together, and wait here for a client that is slow.
const BODIES_MAX = 16;

type Message = ListenResponse["message"];
const answer = (message: Message) => create(ListenResponseSchema, { message });

/**
 * Streams what is due for a listener, in the order of its sequence, and each attempt of it once: a delivery is under way
 * from when it was streamed until it is acknowledged, which may happen in another process. What a client loses with its
 * stream comes again in the next one.
 */
export async function* listen(
  app: App,
  lookout: Lookout<Listening, Due>,
  tenantId: string,
  request: ListenRequest,
  ended: AbortSignal,
): AsyncIterable<ListenResponse> {
  const hold = await takeListener(app, tenantId, request);
  const release = () =>
    void releaseHold(app, hold).catch((error) => app.log.warn("listener.not_released", errorFacts(error)));
  // Nobody goes on with this generator when the client is gone, and the next client should find the listener free.
  ended.addEventListener("abort", release, { once: true });
  const readTargets = createTargets(app);
  const listening = { tenantId, endpointId: hold.endpoint.id, ordered: request.ordered };
  try {
    yield answer({ case: "ready", value: readyOf(app, hold) });
    let heardAt = app.clock.now();
    let renewedAt = heardAt;
    let underWay = new Map<string, number>(); // the attempt that was streamed of each
    lookout.hint(); // what waits already need not wait longer
    while (!ended.aborted) {
      const due = await lookout.next({ ...listening, underWay }, ended);
      if (!due) break;
      const { fresh } = due;
      underWay = due.underWay;
      for (let from = 0; from < fresh.length && !ended.aborted; from += BODIES_MAX) {
        const target = (await readTargets([listening])).get(listening.endpointId);
        if (!target) break; // paused or deleted meanwhile
        for (const one of await readDue(app, tenantId, fresh.slice(from, from + BODIES_MAX))) {
          yield answer({ case: "delivery", value: deliveryOf(one, target, app.clock.now()) });
          underWay.set(one.id, one.attempt_count);
          heardAt = app.clock.now();
        }
      }
      if (app.clock.now() >= plusMs(heardAt, HEARTBEAT_MS)) {
        yield answer({ case: "heartbeat", value: create(HeartbeatSchema) });
        heardAt = app.clock.now();
      }
      if (app.clock.now() < plusMs(renewedAt, HOLD_RENEW_MS)) continue;
      await renewHold(app, hold);
      renewedAt = app.clock.now();
    }
  } finally {
    ended.removeEventListener("abort", release);
    if (!ended.aborted) release();
  }
}

function readyOf(app: App, { tenantId, endpoint, waitingCount }: Hold) {
  const secret = app.secrets.open(endpoint.secret_sealed, secretPlace(tenantId, endpoint.id));
  return create(ListenReadySchema, {
    endpoint: toEndpoint(endpoint),
    secret: formatSecret(secret),
    waitingCount: BigInt(waitingCount),
    heartbeatInterval,
  });
}

/** A message to hand on, signed now. */
function deliveryOf(one: ReadDelivery, target: Target, now: Date) {
  const { headers, body } = messageOf(one, target, now);
  return create(ListenDeliverySchema, {
    deliveryId: formatId("whd", one.id),
    attempt: one.attempt_count + 1,
    eventId: formatId("evt", one.event_id),
    eventType: one.type,
    customerId: one.customer_id ?? "",
    sequence: one.sequence,
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}
