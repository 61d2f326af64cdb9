import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  GetDeliveryResponseSchema,
  GetEndpointResponseSchema,
  GetEventResponseSchema,
  GetReplayResponseSchema,
  type WebhookService,
} from "../../gen/usageflow/v1/webhook_service_pb.ts";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import { callerOf } from "../rpc/caller.ts";
import type { Streams } from "../rpc/streams.ts";
import { acknowledgeDelivery } from "./acknowledge-delivery.ts";
import { createLogLookout } from "./attempt-log.ts";
import { cancelReplay } from "./cancel-replay.ts";
import { createEndpoint } from "./create-endpoint.ts";
import { createReplay } from "./create-replay.ts";
import { deleteEndpoint } from "./delete-endpoint.ts";
import { getDelivery } from "./delivery.ts";
import { getDeliveryActivity } from "./delivery-activity.ts";
import { createDueLookout } from "./due-deliveries.ts";
import { getEndpoint, listEndpoints, toEndpoint } from "./endpoint.ts";
import { getEvent, listEvents } from "./event.ts";
import { listEventTypes } from "./event-schema.ts";
import { exportDeliveries } from "./export-deliveries.ts";
import { listDeliveries } from "./list-deliveries.ts";
import { listen } from "./listen.ts";
import { pauseEndpoint, resumeEndpoint } from "./pause-endpoint.ts";
import { getReplayRow, listReplays, toReplay, waitingOf } from "./replay.ts";
import { resendEvent } from "./resend-event.ts";
import { retryDelivery } from "./retry-delivery.ts";
import { rotateEndpointSecret } from "./rotate-endpoint-secret.ts";
import { sendTestEvent } from "./send-test-event.ts";
import { skipDelivery } from "./skip-delivery.ts";
import { tailDeliveries } from "./tail-deliveries.ts";
import { updateEndpoint } from "./update-endpoint.ts";

/** WebhookService: which file does what. */
export function webhookService(app: App, streams: Streams): ServiceImpl<typeof WebhookService> {
  const attempts = createLogLookout(app);
  const due = createDueLookout(app);
  return {
    createEndpoint: (request, call) => createEndpoint(app, callerOf(call), request),
    getEndpoint: (request, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetEndpointResponseSchema, { endpoint: toEndpoint(await getEndpoint(tx, tenantId, request.id)) }),
      );
    },
    listEndpoints: (request, call) => listEndpoints(app, callerOf(call).tenantId, request),
    updateEndpoint: (request, call) => updateEndpoint(app, callerOf(call), request),
    deleteEndpoint: (request, call) => deleteEndpoint(app, callerOf(call), request),
    pauseEndpoint: (request, call) => pauseEndpoint(app, callerOf(call), request),
    resumeEndpoint: (request, call) => resumeEndpoint(app, callerOf(call), request),
    rotateEndpointSecret: (request, call) => rotateEndpointSecret(app, callerOf(call), request),
    listEventTypes: () => listEventTypes(),
    getDelivery: (request, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetDeliveryResponseSchema, { delivery: await getDelivery(tx, tenantId, request.id) }),
      );
    },
    listDeliveries: (request, call) => listDeliveries(app, callerOf(call).tenantId, request),
    retryDelivery: (request, call) => retryDelivery(app, callerOf(call), request),
    getEvent: (request, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) =>
        create(GetEventResponseSchema, { event: await getEvent(tx, tenantId, request.id) }),
      );
    },
    listEvents: (request, call) => listEvents(app, callerOf(call).tenantId, request),
    resendEvent: (request, call) => resendEvent(app, callerOf(call), request),
    sendTestEvent: (request, call) => sendTestEvent(app, callerOf(call), request),
    createReplay: (request, call) => createReplay(app, callerOf(call), request),
    getReplay: (request, call) => {
      const { tenantId } = callerOf(call);
      return inTenant(app.db, tenantId, async (tx) => {
        const row = await getReplayRow(tx, tenantId, request.id);
        const replay = toReplay(row, await waitingOf(tx, row, app.clock.now()));
        return create(GetReplayResponseSchema, { replay });
      });
    },
    listReplays: (request, call) => listReplays(app, callerOf(call).tenantId, request),
    skipDelivery: (request, call) => skipDelivery(app, callerOf(call), request),
    cancelReplay: (request, call) => cancelReplay(app, callerOf(call), request),
    listen: (request, call) => streams.run(call, (ended) => listen(app, due, callerOf(call).tenantId, request, ended)),
    acknowledgeDelivery: (request, call) =>
      acknowledgeDelivery(app, callerOf(call), request).finally(() => {
        due.hint(); // there is room for more
        attempts.hint();
      }),
    exportDeliveries: (request, call) =>
      streams.run(call, (ended) => exportDeliveries(app, callerOf(call), request, ended)),
    getDeliveryActivity: (_, call) => getDeliveryActivity(app, callerOf(call).tenantId),
    tailDeliveries: (request, call) =>
      streams.run(call, (ended) => tailDeliveries(app, attempts, callerOf(call).tenantId, request, ended)),
  };
}
