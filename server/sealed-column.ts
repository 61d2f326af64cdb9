import type { Tables } from "./db/tables.ts";
import { answerPlace } from "./rpc/change.ts";
import { secretPlace } from "./webhook/endpoint.ts";
import { headersPlace } from "./webhook/endpoint-headers.ts";

/** A column whose values are sealed. */
export interface SealedColumn {
  /** What is in it, for people. */
  readonly what: string;
  readonly table: keyof Tables;
  readonly column: string;
  /** The primary key, after tenant_id. */
  readonly key: readonly string[];
  /** What a value is bound to: from the values of the key. */
  place(tenantId: string, key: readonly [string, ...string[]]): string;
}

/** All columns whose values are sealed. What is not here, a change of the master key would lose: a test compares. */
export const sealedColumns: readonly SealedColumn[] = [
  {
    what: "endpoint secrets",
    table: "endpoint",
    column: "secret_sealed",
    key: ["id"],
    place: (tenantId, [id]) => secretPlace(tenantId, id),
  },
  {
    what: "endpoint headers",
    table: "endpoint",
    column: "headers_sealed",
    key: ["id"],
    place: (tenantId, [id]) => headersPlace(tenantId, id),
  },
  {
    what: "former endpoint secrets",
    table: "endpoint_former_secret",
    column: "secret_sealed",
    key: ["endpoint_id", "id"],
    place: (tenantId, [endpointId]) => secretPlace(tenantId, endpointId),
  },
  {
    what: "stored answers",
    table: "rpc_answer",
    column: "answer",
    key: ["idempotency_key"],
    place: (tenantId, [idempotencyKey]) => answerPlace(tenantId, idempotencyKey),
  },
];
