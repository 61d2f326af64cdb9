import type { KeyObject } from "node:crypto";
import type { Selectable } from "kysely";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import type { EndpointFormerSecret, Endpoint as EndpointRow } from "../db/tables.ts";
import type { ClaimedDelivery } from "./claim-deliveries.ts";
import { secretPlace } from "./endpoint.ts";
import { openHeaders } from "./endpoint-headers.ts";
import { sign, signingKey } from "./signature.ts";

/** Where a delivery goes. What is sealed is opened when it is needed, and throws when this server cannot. */
export interface Target {
  url: string;
  /** The headers of its owner. */
  headers(): Record<string, string>;
  /** The `webhook-signature` of a message that is sent at a time: of the secrets in use then, the newest first. */
  sign(at: Date, id: string, timestampSeconds: number, body: string): string;
}

/** The endpoints of deliveries, by id. Their secrets' table lets even a worker see one tenant at a time. */
export async function targetsOf(app: App, deliveries: readonly ClaimedDelivery[]): Promise<Map<string, Target>> {
  const byTenant = Map.groupBy(deliveries, (delivery) => delivery.tenant_id);
  const targets = new Map<string, Target>();
  await Promise.all(
    Array.from(byTenant, async ([tenantId, own]) => {
      const ids = [...new Set(own.map((delivery) => delivery.endpoint_id))];
      for (const { former, ...row } of await inTenant(app.workerDb, tenantId, (tx) =>
        readEndpoints(tx, tenantId, ids),
      )) {
        targets.set(row.id, toTarget(app, row, former));
      }
    }),
  );
  return targets;
}

type Endpoint = Pick<
  Selectable<EndpointRow>,
  "tenant_id" | "id" | "url" | "signature_kind" | "secret_sealed" | "headers_sealed"
>;
type FormerSecret = Pick<Selectable<EndpointFormerSecret>, "signature_kind" | "secret_sealed" | "valid_until">;

/** Endpoints first: a secret that is changed between the two statements is then read twice, and never missed. */
async function readEndpoints(tx: Tx, tenantId: string, ids: readonly string[]) {
  const endpoints = await tx
    .selectFrom("endpoint")
    .select(["tenant_id", "id", "url", "signature_kind", "secret_sealed", "headers_sealed"])
    .where("tenant_id", "=", tenantId)
    .where("id", "in", ids)
    .where("deleted_at", "is", null)
    .execute();
  const formers = await tx
    .selectFrom("endpoint_former_secret")
    .select(["endpoint_id", "signature_kind", "secret_sealed", "valid_until"])
    .where("tenant_id", "=", tenantId)
    .where("endpoint_id", "in", ids)
    .orderBy("id", "desc")
    .execute();
  const byEndpoint = Map.groupBy(formers, (former) => former.endpoint_id);
  return endpoints.map((endpoint) => ({ ...endpoint, former: byEndpoint.get(endpoint.id) ?? [] }));
}

const FOREVER = new Date(8.64e15);

function toTarget(app: App, endpoint: Endpoint, formers: readonly FormerSecret[]): Target {
  const { tenant_id, id, url, headers_sealed } = endpoint;
  const secrets = [{ ...endpoint, valid_until: FOREVER }, ...formers].map(
    ({ signature_kind, secret_sealed, valid_until }) => ({
      validUntil: valid_until,
      key: once(() =>
        signingKey(
          signature_kind === "V1A" ? "V1A" : "V1",
          app.secrets.open(secret_sealed, secretPlace(tenant_id, id)),
        ),
      ),
    }),
  );
  return {
    url,
    headers: once(() => (headers_sealed ? openHeaders(app.secrets, tenant_id, id, headers_sealed) : {})),
    sign: (at, messageId, timestampSeconds, body) =>
      secrets
        .filter(({ validUntil }) => validUntil > at)
        .map(({ key }) => sign(key(), messageId, timestampSeconds, body))
        .join(" "),
  };
}

/** A thing that is opened once, and kept as an object: both cost more than a signature. */
function once<T extends KeyObject | Record<string, string>>(open: () => T): () => T {
  let opened: T | undefined;
  return () => (opened ??= open());
}
