import type { KeyObject } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { App } from "../app.ts";
import { inTenant } from "../db/database.ts";
import type { EndpointFormerSecret, Endpoint as EndpointRow } from "../db/tables.ts";
import type { Turn } from "./claim-deliveries.ts";
import { secretPlace } from "./endpoint.ts";
import { openHeaders } from "./endpoint-headers.ts";
import { sign, signingKey } from "./signature.ts";

/** Where deliveries go, and whether it rests after failures: only what was asked for by hand goes there then. */
export interface TargetNow extends Target {
  resting: boolean;
}

/** Where a delivery goes. What is sealed is opened when it is needed, and throws when this server cannot. */
export interface Target {
  url: string;
  /** The headers of its owner. */
  headers(): Record<string, string>;
  /** The `webhook-signature` of a message that is sent at a time: of the secrets in use then, the newest first. */
  sign(at: Date, id: string, timestampSeconds: number, body: Buffer): string;
}

/** Reads endpoints that may be sent to now, by id: those that were deleted, paused or disabled are left out. */
export type ReadTargets = (endpoints: readonly Turn[]) => Promise<Map<string, TargetNow>>;

type FormerSecret = Pick<
  Selectable<EndpointFormerSecret>,
  "endpoint_id" | "signature_kind" | "secret_sealed" | "valid_until"
>;
type Endpoint = Pick<
  Selectable<EndpointRow>,
  "tenant_id" | "id" | "url" | "signature_kind" | "secret_sealed" | "headers_sealed" | "former_secrets_until"
> & { resting: boolean };

/** A reader that opens again only what has changed since it last read. */
export function createTargets(app: App): ReadTargets {
  let known = new Map<string, { facts: string; target: Target }>();
  return async (wanted) => {
    if (wanted.length === 0) return new Map();
    const endpoints = await readEndpoints(app, wanted);
    const formers = await formerSecrets(app, endpoints);
    const before = known;
    known = new Map();
    const targets = new Map<string, TargetNow>();
    for (const endpoint of endpoints) {
      const own = formers.get(endpoint.id) ?? [];
      const facts = factsOf(endpoint, own);
      const same = before.get(endpoint.id);
      const read = same?.facts === facts ? same : { facts, target: toTarget(app, endpoint, own) };
      known.set(endpoint.id, read);
      targets.set(endpoint.id, { ...read.target, resting: endpoint.resting });
    }
    return targets;
  };
}

async function readEndpoints(app: App, wanted: readonly Turn[]): Promise<Endpoint[]> {
  const { rows } = await sql<Endpoint>`
    select e.tenant_id, e.id, e.url, e.signature_kind, e.secret_sealed, e.headers_sealed, e.former_secrets_until,
      coalesce(f.rest_until > ${app.clock.now()}, false) as resting
    from unnest(
      ${wanted.map((one) => one.tenantId)}::uuid[], ${wanted.map((one) => one.endpointId)}::uuid[]
    ) as wanted (tenant_id, id)
    join endpoint e using (tenant_id, id)
    left join endpoint_failure f on f.tenant_id = e.tenant_id and f.endpoint_id = e.id
    where e.deleted_at is null and e.paused_at is null and e.disabled_at is null`.execute(app.workerDb);
  return rows;
}

/**
 * Secrets that are signed with besides. Their table lets even a worker see one tenant at a time; few endpoints have any. After
 * the endpoints: a secret that is changed between the two statements is then read twice, and never missed.
 */
async function formerSecrets(app: App, endpoints: readonly Endpoint[]): Promise<Map<string, FormerSecret[]>> {
  const now = app.clock.now();
  const some = endpoints.filter((one) => one.former_secrets_until && one.former_secrets_until > now);
  const found = await Promise.all(
    Array.from(
      Map.groupBy(some, (one) => one.tenant_id),
      ([tenantId, own]) =>
        inTenant(app.workerDb, tenantId, (tx) =>
          tx
            .selectFrom("endpoint_former_secret")
            .select(["endpoint_id", "signature_kind", "secret_sealed", "valid_until"])
            .where("tenant_id", "=", tenantId)
            .where(
              "endpoint_id",
              "in",
              own.map((one) => one.id),
            )
            .orderBy("id", "desc")
            .execute(),
        ),
    ),
  );
  return Map.groupBy(found.flat(), (former) => former.endpoint_id);
}

/** All that a target is made of. */
function factsOf({ url, signature_kind, secret_sealed, headers_sealed }: Endpoint, formers: readonly FormerSecret[]) {
  const sealed = [secret_sealed, headers_sealed, ...formers.map((former) => former.secret_sealed)];
  const until = formers.map((former) => former.valid_until.getTime());
  return [url, signature_kind, ...until, ...sealed.map((one) => one?.toString("base64") ?? "")].join(" ");
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
