import { newKey } from "./new-key.ts";

/** One report of usage. */
export interface UsageEventInput {
  /** Key of the metric, such as `API_CALL`. */
  metric: string;
  /** How much. Text or a bigint where a number would lose digits. Left out only for metrics that count events or values. */
  amount?: number | string | bigint;
  /** Your id of the customer. */
  customerId: string;
  /** Names the event for ever. Default: a new one, made when it is tracked and kept over all attempts. */
  idempotencyKey?: string;
  /** When it happened. Default: what the tracker's option `occurredAt` says. */
  occurredAt?: Date | string;
  /** Free facts about it. */
  properties?: Record<string, string>;
}

/** An event that waits to be sent: as text, so that what is done to the caller's object later changes nothing. */
export interface TrackedEvent {
  /** Its number among those that were tracked. */
  number: number;
  idempotencyKey: string;
  /** JSON, as `POST /api/track` takes it. */
  json: string;
  /** Of the JSON, in UTF-8. */
  bytes: number;
}

/**
 * Writes an event down. An amount that is no number is written too: the server says so, and the report of it comes the way
 * of all reports, which a request of your own customer must not fail for.
 */
export function writeDown(event: UsageEventInput, number: number, stamp: boolean): TrackedEvent {
  const { metric, amount, customerId, idempotencyKey = newKey(), occurredAt, properties } = event;
  const at = occurredAt ?? (stamp ? new Date() : undefined);
  const json = JSON.stringify({
    metric,
    amount: amount === undefined ? undefined : String(amount),
    customerId,
    idempotencyKey,
    occurredAt: at instanceof Date ? timeOf(at) : at,
    properties,
  });
  return { number, idempotencyKey, json, bytes: Buffer.byteLength(json) };
}

/** The event that was written down: tracked again, it is the same one. */
export function readBack({ json }: TrackedEvent): UsageEventInput & { idempotencyKey: string } {
  return JSON.parse(json);
}

/** A date that is none would throw here, and is the server's to refuse. */
function timeOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? String(date) : date.toISOString();
}
