import { sql } from "kysely";
import type { Tx } from "../db/database.ts";
import { passesTests } from "./dimension.ts";
import { isFolded } from "./folded.ts";
import { dimensionsOfEvent } from "./usage-bucket.ts";
import { eventsOfSpan, type UsageSpan } from "./usage-span.ts";

// Read by one statement, of all spans together: bounds its time, what is held in memory, and what is counted at once.
const EVENTS_MAX = 10_000;

/** Amounts of some events of a span, in their order: by `occurred_at`, then by idempotency key. */
export interface EventPage {
  /** The span's place among those asked for. */
  place: number;
  amounts: string[];
}

/** A span of which events are still to be read, and behind which event. */
interface Rest {
  place: number;
  span: UsageSpan;
  /** With microseconds, which a Date has not. */
  from: string;
  afterKey: string;
}

/**
 * The amounts of the single events of many spans, for prices that buckets cannot answer. Pages of one span come in
 * order. Only what was folded up to `foldNumber` counts, so that these are the events that the buckets of that moment
 * hold.
 */
export async function* eventAmounts(
  tx: Tx,
  tenantId: string,
  spans: readonly UsageSpan[],
  foldNumber: bigint,
  { eventsMax = EVENTS_MAX } = {},
): AsyncGenerator<EventPage> {
  let rests = spans.map((span, place): Rest => ({ place, span, from: span.start.toISOString(), afterKey: "" }));
  while (rests.length > 0) {
    const limit = Math.ceil(eventsMax / rests.length);
    const pages = await readPages(tx, tenantId, rests, limit, foldNumber);
    yield* pages;
    rests = pages
      .filter((page) => page.amounts.length === limit)
      .map(({ place, last_at, last_key }) => ({
        place,
        span: spans[place] as UsageSpan,
        from: last_at,
        afterKey: last_key,
      }));
  }
}

/** The next page of each span that has one: a range of an index, however much is stored. */
async function readPages(tx: Tx, tenantId: string, rests: readonly Rest[], limit: number, foldNumber: bigint) {
  const told = rests.some(({ span }) => span.tests && span.tests.length > 0);
  const { rows } = await sql<EventPage & { last_at: string; last_key: string }>`
    select span.place, page.amounts, page.last_at, page.last_key
    from unnest(
      ${rests.map((rest) => rest.place)}::integer[],
      ${rests.map((rest) => rest.span.customerId)}::text[],
      ${rests.map((rest) => rest.span.metric)}::text[],
      ${rests.map((rest) => rest.from)}::timestamptz[],
      ${rests.map((rest) => rest.afterKey)}::text[],
      ${rests.map((rest) => rest.span.end)}::timestamptz[],
      ${rests.map((rest) => JSON.stringify(rest.span.tests ?? []))}::jsonb[]
    ) as span (place, customer, metric_key, from_at, after_key, end_at, tests)
    ${told ? sql`join metric m on m.tenant_id = ${tenantId} and m.key = span.metric_key` : sql``}
    cross join lateral (
      select array_agg(amount order by occurred_at, idempotency_key) as amounts, max(occurred_at)::text as last_at,
        (array_agg(idempotency_key order by occurred_at desc, idempotency_key desc))[1] as last_key
      from (
        select trim_scale(e.amount)::text as amount, e.occurred_at, e.idempotency_key
        from usage_event e
        where e.tenant_id = ${tenantId} and ${eventsOfSpan(sql`span.from_at`, sql`span.end_at`)}
          and (e.occurred_at > span.from_at or e.idempotency_key > span.after_key)
          and ${isFolded(tenantId, foldNumber)}
          ${told ? sql`and ${passesTests(dimensionsOfEvent, sql`span.tests`)}` : sql``}
        order by e.occurred_at, e.idempotency_key
        limit ${limit}
      ) event
    ) page
    where page.amounts is not null`.execute(tx);
  return rows;
}
