import { toJson } from "@bufbuild/protobuf";
import { sql } from "kysely";
import { type InvoiceLine, InvoiceLineStepSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { App } from "../app.ts";
import { inTenant, type Tx } from "../db/database.ts";
import { appendEvents } from "../outbox/append-event.ts";
import { settleDue, takeDue } from "../tenant/due.ts";
import { tenantNow } from "../tenant/tenant-clock.ts";
import { linesOfDrafts } from "./draft.ts";
import { type InvoiceRow, toInvoice, totalOf } from "./invoice.ts";

// Enough to share the cost of a transaction, few enough to keep it short.
const BATCH_MAX = 500;

/** An invoice that becomes final. */
interface Final {
  invoice: InvoiceRow;
  lines: InvoiceLine[];
  sequence: bigint;
  number: string;
}

/**
 * Finalizes drafts whose grace period is over: their lines are worked out for the last time and stored, and they get the
 * next numbers, in the order in which they were due. Answers how many.
 */
export function finalizeInvoices(app: App, tenantId: string): Promise<number> {
  return inTenant(app.workerDb, tenantId, async (tx) => {
    const now = await tenantNow(tx, tenantId, app.clock);
    if (!(await takeDue(tx, tenantId, "FINALIZE_INVOICES", now))) return 0;
    const drafts = await dueDrafts(tx, tenantId, now);
    if (drafts.length > 0) await finalize(tx, tenantId, drafts, now);
    await settleDue(tx, tenantId, "FINALIZE_INVOICES", await nextFinalizeAt(tx, tenantId));
    return drafts.length;
  });
}

function dueDrafts(tx: Tx, tenantId: string, now: Date): Promise<InvoiceRow[]> {
  return tx
    .selectFrom("invoice")
    .selectAll()
    .where("tenant_id", "=", tenantId)
    .where("state", "=", "DRAFT")
    .where("finalize_at", "<=", now)
    .orderBy("finalize_at")
    .orderBy("id")
    .limit(BATCH_MAX)
    .forUpdate()
    .execute();
}

async function finalize(tx: Tx, tenantId: string, drafts: readonly InvoiceRow[], now: Date): Promise<void> {
  const { lines, foldNumber } = await linesOfDrafts(tx, tenantId, drafts);
  await leaveDraft(tx, tenantId, drafts);
  const firstSequence = await takeSequences(tx, tenantId, drafts.length);
  const finals = drafts.map((draft, i): Final => {
    const sequence = firstSequence + BigInt(i);
    const number = `INV-${sequence.toString().padStart(6, "0")}`;
    return { invoice: { ...draft, state: "FINALIZED" }, lines: lines[i] ?? [], sequence, number };
  });
  await tx
    .insertInto("invoice_document")
    .values(
      finals.map((final) => ({
        tenant_id: tenantId,
        invoice_id: final.invoice.id,
        sequence: final.sequence,
        number: final.number,
        total_minor: totalOf(final.lines),
        usage_number: foldNumber,
        finalized_at: now,
      })),
    )
    .execute();
  await insertLines(tx, tenantId, finals);
  const events = finals.map(({ invoice, lines, number }) => ({
    type: "invoice.finalized" as const,
    occurredAt: now,
    facts: { invoice: toInvoice(invoice, lines, { number, finalized_at: now }) },
  }));
  await appendEvents(tx, tenantId, events);
}

async function leaveDraft(tx: Tx, tenantId: string, drafts: readonly InvoiceRow[]): Promise<void> {
  const ids = drafts.map((draft) => draft.id);
  const { numUpdatedRows } = await tx
    .updateTable("invoice")
    .set({ state: "FINALIZED" })
    .where("tenant_id", "=", tenantId)
    .where("id", "in", ids)
    .where("state", "=", "DRAFT")
    .executeTakeFirstOrThrow();
  if (numUpdatedRows !== BigInt(ids.length)) throw new Error("an invoice that is no draft was to be finalized");
}

/** Takes the tenant's next `count` numbers, and answers the first. Whoever comes next waits, so none is left out. */
async function takeSequences(tx: Tx, tenantId: string, count: number): Promise<bigint> {
  const taken = BigInt(count);
  const { last_sequence } = await tx
    .insertInto("invoice_counter")
    .values({ tenant_id: tenantId, last_sequence: taken })
    .onConflict((conflict) =>
      conflict
        .constraint("invoice_counter_pkey")
        .doUpdateSet({ last_sequence: sql<bigint>`invoice_counter.last_sequence + ${taken}` }),
    )
    .returning("last_sequence")
    .executeTakeFirstOrThrow();
  return last_sequence - taken + 1n;
}

/** One parameter for all lines: a batch may have more than a statement can have parameters. */
async function insertLines(tx: Tx, tenantId: string, finals: readonly Final[]): Promise<void> {
  const rows = finals.flatMap(({ invoice, lines }) =>
    lines.map((line, position) => ({
      tenant_id: tenantId,
      invoice_id: invoice.id,
      position,
      price_key: line.priceKey,
      metric: line.metric,
      quantity: line.quantity,
      amount_minor: line.amountMinor.toString(),
      exact_amount: line.exactAmount,
      description: line.description,
      steps: line.steps.map((step) => toJson(InvoiceLineStepSchema, step)),
    })),
  );
  const json = JSON.stringify(rows);
  await sql`insert into invoice_line select * from json_populate_recordset(null::invoice_line, ${json})`.execute(tx);
}

async function nextFinalizeAt(tx: Tx, tenantId: string): Promise<Date | null> {
  const row = await tx
    .selectFrom("invoice")
    .select("finalize_at")
    .where("tenant_id", "=", tenantId)
    .where("state", "=", "DRAFT")
    .orderBy("finalize_at")
    .limit(1)
    .executeTakeFirst();
  return row?.finalize_at ?? null;
}
