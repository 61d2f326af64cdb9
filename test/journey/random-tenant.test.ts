import { timestampDate } from "@bufbuild/protobuf/wkt";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { type Invoice, InvoiceKindSchema, InvoiceLineKind, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { UnbilledReasonSchema, UsageState, UsageStateSchema } from "../../gen/usageflow/v1/usage_pb.ts";
import { inTenant } from "../../server/db/database.ts";
import { formatId, parseId } from "../../server/id.ts";
import { type CountUsage, chargesOfDrafts } from "../../server/invoice/draft.ts";
import { totalOf } from "../../server/invoice/settlement.ts";
import { takenChargesOf } from "../../server/invoice/taken-charges.ts";
import { recountUsage } from "../../server/usage/usage-recount.ts";
import { expectLedgerToAddUp } from "../support/credits.ts";
import { doctorOf } from "../support/doctor.ts";
import { type Harness, listAllInvoices, setup } from "../support/harness.ts";
import { anyCatalog } from "../support/random-catalog.ts";
import { type RandomTenant, randomTenant } from "../support/random-tenant.ts";
import { mismatches } from "../support/subscriptions.ts";

// Whatever happens to a tenant, its books are right. Long form, each round with the next seed:
//
//   USAGEFLOW_TEST_ROUNDS=200 USAGEFLOW_TEST_SEED=1 npx vitest run test/journey/random-tenant.test.ts

const ROUNDS = Number(process.env.USAGEFLOW_TEST_ROUNDS ?? 3);
const SEED = Number(process.env.USAGEFLOW_TEST_SEED ?? 1);
const STEPS = 70;

const LAST_FOLD = 2n ** 63n - 1n; // the fold that never comes: no other is after it

const ADJUSTING: InvoiceLineKind[] = [InvoiceLineKind.LATE_USAGE, InvoiceLineKind.PRORATION];
const CHARGES: InvoiceLineKind[] = [InvoiceLineKind.PRICE, InvoiceLineKind.MINIMUM];
const isFinal = ({ state }: Invoice) => state !== InvoiceState.DRAFT;
const stands = ({ state }: Invoice) => state !== InvoiceState.DRAFT && state !== InvoiceState.VOID;

/** Every fault that the books have, in words. */
async function faults(harness: Harness, { keys }: RandomTenant): Promise<string[]> {
  const invoices = await listAllInvoices(harness.clients);
  return [
    ...(await mismatches(harness)).map((number) => `${number} is not what it was`),
    ...invoices.filter((invoice) => !isFinal(invoice)).map(({ id }) => `${id} stays a draft`),
    ...invoices
      .filter(({ lines, totalMinor }) => totalMinor < 0n || totalOf(lines) !== totalMinor)
      .map(({ number }) => `${number} does not add up`),
    ...gaps(invoices),
    ...(await waiting(harness)),
    ...(await chargedOtherwise(harness, invoices)),
    ...(await unexplained(harness, keys)),
    ...(await simulated(harness)),
  ];
}

function gaps(invoices: readonly Invoice[]): string[] {
  const numbers = invoices.filter(isFinal).map(({ number }) => Number(number.slice("INV-".length)));
  return numbers
    .sort((a, b) => a - b)
    .flatMap((number, i) => (number === i + 1 ? [] : [`${number} is in place ${i + 1}`]));
}

/** What should be done, and is not. */
async function waiting({ ownerDb, tenant }: Harness): Promise<string[]> {
  const { rows } = await sql<{ what: string }>`
    select work as what from tenant_due join tenant using (tenant_id)
    where tenant_id = ${tenant.testId} and due_at <= clock_frozen_at
    union all select 'rerating' from invoice_rerating
      join invoice on invoice.tenant_id = invoice_rerating.tenant_id and id = invoice_id where state <> 'VOID'
    union all select 'news' from usage_news
    union all select 'a credit note of less than nothing' from credit_note where amount_minor <= 0`.execute(ownerDb);
  return rows.map(({ what }) => `${what} waits`);
}

/**
 * Periods for which something else was charged than they cost by their events and phases, or more given back than was
 * charged. A void one costs nothing; what credit notes took back may stay charged, and is not given back again.
 */
async function chargedOtherwise({ app, ownerDb, tenant }: Harness, invoices: readonly Invoice[]): Promise<string[]> {
  const rows = await ownerDb
    .selectFrom("invoice")
    .selectAll()
    .where("kind", "<>", "ADJUSTMENT")
    .orderBy("id")
    .execute();
  const byId = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  const { costs, notes } = await inTenant(app.db, tenant.testId, async (tx) => {
    const countUsage: CountUsage = (tx, tenantId, spans) => recountUsage(tx, tenantId, spans, LAST_FOLD);
    const all = invoices.map(({ id }) => parseId("inv", id) ?? "");
    return {
      costs: await chargesOfDrafts(tx, tenant.testId, rows, { countUsage }),
      notes: await takenChargesOf(tx, tenant.testId, all),
    };
  });
  return rows.flatMap((row, i) => {
    const invoice = byId.get(formatId("inv", row.id)) as Invoice;
    const own = stands(invoice) ? invoice.lines.filter(({ kind }) => CHARGES.includes(kind)) : [];
    const later = invoices
      .filter(stands)
      .flatMap(({ lines }) => lines.filter((line) => line.adjustedInvoiceId === invoice.id));
    expect(later.every(({ kind }) => ADJUSTING.includes(kind))).toBe(true);
    const charged = totalOf([...own, ...later]);
    const cost = totalOf(costs.lines[i] ?? []);
    const kind = InvoiceKindSchema.value[invoice.kind]?.localName;
    if (!stands(invoice)) return charged < 0n ? [`${invoice.number} is void, and ${charged} was given back of it`] : [];
    const taken = notes
      .filter(({ invoiceId }) => invoiceId === invoice.id)
      .reduce((sum, one) => sum + one.amountMinor, 0n);
    if (taken > charged) return [`of ${charged} for ${invoice.number} notes took back ${taken}`];
    return charged === cost || (cost < charged && charged <= taken)
      ? []
      : [`${invoice.number} ${kind} ${invoice.plan} of ${invoice.customerId} costs ${cost}, charged ${charged}`];
  });
}

/** Usage of which the list of what is unbilled says something else than each event. */
async function unexplained({ clients }: Harness, keys: readonly string[]): Promise<string[]> {
  const counts = new Map<string, number>();
  const add = (key: string, count: number) => counts.set(key, (counts.get(key) ?? 0) + count);
  const faults: string[] = [];
  for (const idempotencyKey of keys) {
    const answer = await clients.usage.explainUsageEvent({ idempotencyKey });
    const { usageEvent: event, state, unbilledReason } = answer;
    if (!event?.occurredAt) throw new Error("an event without a time");
    if (state !== UsageState.UNBILLED) {
      if (state !== UsageState.BILLED) faults.push(`${idempotencyKey} is ${UsageStateSchema.value[state]?.localName}`);
      continue;
    }
    const reason = UnbilledReasonSchema.value[unbilledReason]?.localName;
    if (reason !== "VOIDED")
      add(
        [event.customerId, event.metric, timestampDate(event.occurredAt).toISOString().slice(0, 7), reason].join(" "),
        1,
      );
  }
  const { unbilledUsage } = await clients.usage.listUnbilledUsage({ pageSize: 1_000 });
  for (const row of unbilledUsage) {
    const month = timestampDate(row.month as NonNullable<typeof row.month>)
      .toISOString()
      .slice(0, 7);
    add(
      [row.customerId, row.metric, month, UnbilledReasonSchema.value[row.reason]?.localName].join(" "),
      -Number(row.eventCount),
    );
  }
  return [
    ...faults,
    ...[...counts].filter(([, count]) => count !== 0).map(([key, count]) => `unbilled ${key}: ${count} off`),
  ];
}

async function simulated({ clients }: Harness): Promise<string[]> {
  const faults: string[] = [];
  for (const { key } of anyCatalog.plans) {
    const plan = { case: "published" as const, value: { key } };
    const { customers } = await clients.invoice.simulatePlan({ plan, against: key });
    for (const { customerId, differenceMinor } of customers) {
      if (differenceMinor !== 0n) faults.push(`${key} of ${customerId} differs from itself by ${differenceMinor}`);
    }
  }
  return faults;
}

test(
  "whatever happens to a tenant, its books are right",
  async () => {
    for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
      const harness = await setup();
      const failed: string[] = [];
      harness.app.log.error = (event, facts) => failed.push(`${event} ${JSON.stringify(facts)}`);
      await harness.clients.pricing.pushCatalog({ catalog: anyCatalog });
      const what = await randomTenant(harness, seed, STEPS);
      const found = [...failed, ...(await faults(harness, what))];
      expect({ seed, found, told: found.length > 0 ? what.told : [] }).toEqual({ seed, found: [], told: [] });
      await expectLedgerToAddUp(harness);
      expect({ seed, found: await doctorOf(harness) }).toEqual({ seed, found: [] });
    }
  },
  60_000 * ROUNDS,
);
