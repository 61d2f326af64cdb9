import { sql } from "kysely";
import type { Db } from "../../server/db/database.ts";
import { formatId } from "../../server/id.ts";
import type { WorkerLife } from "./fated-workers.ts";
import type { Post } from "./ledger-receiver.ts";

/** What the database says happened. Ids are as the API has them. */
export interface Books {
  events: { id: string; tenantId: string; type: string; customerId: string | null; toldOf: string | null }[];
  endpoints: { id: string; tenantId: string; eventTypes: string[]; path: string }[];
  deliveries: BookedDelivery[];
  attempts: {
    deliveryId: string;
    number: number;
    status: number;
    error: string;
    errorKind: string;
    worker: number;
    sentAt: Date;
  }[];
}

interface BookedDelivery {
  id: string;
  endpointId: string;
  eventId: string;
  sequence: number;
  state: string;
  attemptCount: number;
}

/** Reads the books of all tenants. */
export async function readBooks(ownerDb: Db): Promise<Books> {
  const events = await sql<Books["events"][number]>`
    select id, tenant_id as "tenantId", type, customer_id as "customerId",
      case type when 'endpoint.disabled' then data::jsonb #>> '{endpoint,id}'
        when 'delivery.exhausted' then data::jsonb #>> '{delivery,endpointId}' end as "toldOf"
    from outbox_event`.execute(ownerDb);
  const endpoints = await sql<Books["endpoints"][number]>`
    select id, tenant_id as "tenantId", event_types as "eventTypes", substring(url from '/[^/]*$') as path
    from endpoint`.execute(ownerDb);
  const deliveries = await sql<BookedDelivery>`
    select id, endpoint_id as "endpointId", event_id as "eventId", sequence::integer, state,
      attempt_count as "attemptCount"
    from delivery`.execute(ownerDb);
  const attempts = await sql<Books["attempts"][number]>`
    select delivery_id as "deliveryId", number, status, error, error_kind as "errorKind",
      split_part(worker, ' ', -1)::integer as worker, sent_at as "sentAt"
    from delivery_attempt order by delivery_id, number`.execute(ownerDb);
  return {
    events: events.rows.map((row) => ({ ...row, id: formatId("evt", row.id) })),
    endpoints: endpoints.rows.map((row) => ({ ...row, id: formatId("whe", row.id) })),
    deliveries: deliveries.rows.map((row) => ({
      ...row,
      id: formatId("whd", row.id),
      endpointId: formatId("whe", row.endpointId),
      eventId: formatId("evt", row.eventId),
    })),
    attempts: attempts.rows.map((row) => ({ ...row, deliveryId: formatId("whd", row.deliveryId) })),
  };
}

/** Counts of what was done, for the summary. */
export interface Account {
  events: number;
  deliveries: number;
  failed: number;
  posts: number;
  /** Deliveries that a receiver took more than once, by what made it so. */
  duplicated: Record<string, number>;
}

/** Balances the books with what the receiver saw. Each line that is answered is something lost or wrong. */
export function balance(
  books: Books,
  posts: readonly Post[],
  lives: readonly WorkerLife[],
  attemptsMax: number,
): { wrong: string[]; account: Account } {
  const wrong: string[] = [];
  const pathOf = new Map(books.endpoints.map((one) => [one.id, one.path]));
  const postsOf = Map.groupBy(posts, (one) => `${one.path} ${one.id}`);
  const attemptsOf = Map.groupBy(books.attempts, (one) => one.deliveryId);
  const duplicated: Record<string, number> = {};
  wrong.push(...pairsWrong(books), ...sequencesWrong(books));
  for (const delivery of books.deliveries) {
    const seen = postsOf.get(`${pathOf.get(delivery.endpointId)} ${delivery.eventId}`) ?? [];
    const attempts = attemptsOf.get(delivery.id) ?? [];
    const say = (what: string) =>
      wrong.push(
        `${delivery.id}: ${what}; ${JSON.stringify({ delivery, attempts, seen: seen.map(({ body, ...one }) => one) })}`,
      );
    const last = attempts.at(-1);
    const taken = seen.filter(({ answered }) => answered >= 200 && answered < 300);
    if (attempts.some(({ number }, index) => number !== index + 1)) say("attempts are not numbered 1, 2, 3");
    if (attempts.length !== delivery.attemptCount) say("attempts are not as many as it counts");
    if (attempts.slice(0, -1).some(({ error }) => error === "")) say("something happened after it was delivered");
    if (new Set(seen.map(({ body }) => body)).size > 1) say("its bodies differ");
    if (delivery.state === "DELIVERED" && (taken.length === 0 || last?.error !== "")) say("delivered to nobody");
    if (delivery.state === "FAILED" && (attempts.length !== attemptsMax || !last?.error))
      say("failed without a reason");
    if (delivery.state !== "DELIVERED" && delivery.state !== "FAILED") say("lost");
    const excuses = unrecorded(delivery, seen, attempts, lives, say);
    if (taken.length > 1) {
      for (const why of new Set(excuses.length > 0 ? excuses : ["answered too late to be read"])) {
        duplicated[why] = (duplicated[why] ?? 0) + 1;
      }
    }
  }
  const known = new Set(books.deliveries.map((one) => `${pathOf.get(one.endpointId)} ${one.eventId}`));
  for (const pair of postsOf.keys()) if (!known.has(pair)) wrong.push(`${pair}: sent, and not in the books`);
  return {
    wrong,
    account: {
      events: books.events.length,
      deliveries: books.deliveries.length,
      failed: books.deliveries.filter(({ state }) => state === "FAILED").length,
      posts: posts.length,
      duplicated,
    },
  };
}

/** How many of the POSTs that a worker settled too late moved something: each is one attempt too many of that worker. */
export function movedByZombie(books: Books, posts: readonly Post[], held: readonly Post[]): string[] {
  const pathOf = new Map(books.endpoints.map((one) => [one.id, one.path]));
  return held.flatMap(({ path, id, worker, at }) => {
    const delivery = books.deliveries.find((one) => one.eventId === id && pathOf.get(one.endpointId) === path);
    const upTo = (one: { worker: number }, when: number) => one.worker === worker && when <= at;
    const sent = posts.filter((one) => one.path === path && one.id === id && upTo(one, one.at)).length;
    const booked = books.attempts.filter(
      (one) => one.deliveryId === delivery?.id && upTo(one, one.sentAt.getTime()),
    ).length;
    return booked < sent ? [] : [`${delivery?.id}: moved by worker ${worker}, which had lost it`];
  });
}

/**
 * Why what the receiver saw of a delivery is not in its attempts: each worker has an attempt for each POST, but for those
 * that it did not live to write, was too late to write, or could not write.
 */
function unrecorded(
  delivery: BookedDelivery,
  seen: readonly Post[],
  attempts: Books["attempts"],
  lives: readonly WorkerLife[],
  say: (what: string) => void,
): string[] {
  const excuses: string[] = [];
  for (const life of lives) {
    const sent = seen.filter(({ worker }) => worker === life.pid).length;
    const booked = attempts.filter(({ worker }) => worker === life.pid);
    const logged = life.logged.filter(({ deliveryId }) => deliveryId === delivery.id);
    const own = logged.flatMap(({ what }) => EXCUSES[what] ?? []);
    if (life.end === "fated" || life.end === "killed") own.push("its worker was killed");
    if (sent - booked.length > own.length) say(`worker ${life.pid} has no attempt for a POST`);
    const unseen = booked.filter(({ errorKind }) => ["CONNECT", "RESET", "TIMEOUT"].includes(errorKind)).length;
    if (booked.length - sent > unseen) say(`worker ${life.pid} has an attempt for no POST`);
    if (sent > booked.length) excuses.push(...own);
  }
  return excuses;
}

const EXCUSES: Record<string, string> = {
  "delivery.lease_lost": "its lease was lost",
  "delivery.fault": "the database was away when it was to be settled",
};

/** Each event has one delivery to each endpoint of its tenant that asked for its type, and no other. */
function pairsWrong({ events, endpoints, deliveries }: Books): string[] {
  const expected = events.flatMap((event) =>
    endpoints
      .filter(
        (one) => one.tenantId === event.tenantId && asksFor(one.eventTypes, event.type) && one.id !== event.toldOf,
      )
      .map((one) => `${event.id} to ${one.id}`),
  );
  const made = deliveries.map((one) => `${one.eventId} to ${one.endpointId}`);
  const counts = new Map<string, number>();
  for (const pair of made) counts.set(pair, (counts.get(pair) ?? 0) + 1);
  return [
    ...expected.filter((pair) => !counts.has(pair)).map((pair) => `${pair}: no delivery`),
    ...[...counts].filter(([, count]) => count > 1).map(([pair]) => `${pair}: two deliveries`),
    ...[...new Set(made).difference(new Set(expected))].map((pair) => `${pair}: nobody asked for it`),
  ];
}

function asksFor(eventTypes: readonly string[], type: string): boolean {
  return (
    eventTypes.length === 0 ||
    eventTypes.some((one) => one === "*" || one === type || (one.endsWith(".*") && type.startsWith(one.slice(0, -1))))
  );
}

function sequencesWrong({ endpoints, deliveries }: Books): string[] {
  return endpoints.flatMap(({ id }) => {
    const own = deliveries.filter((one) => one.endpointId === id).map((one) => one.sequence);
    const gap = own.sort((a, b) => a - b).findIndex((sequence, index) => sequence !== index + 1);
    return gap < 0 ? [] : [`${id}: its sequences have a gap or a double at ${gap + 1}`];
  });
}
