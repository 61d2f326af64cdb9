import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { CreditNoteSettlement } from "../../gen/usageflow/v1/credit_note_pb.ts";
import { type Invoice, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import { CreditNoteLinesSchema } from "../../gen/usageflow/v1/invoice_service_pb.ts";
import { ChangeTiming, ChangeTimingSchema, type Subscription } from "../../gen/usageflow/v1/pricing_pb.ts";
import { type Harness, listAllInvoices } from "./harness.ts";
import { setClock } from "./month.ts";
import { anyCatalog } from "./random-catalog.ts";
import { seeded } from "./seeded.ts";

// A tenant to which anything may happen: calls in no sensible order, those of the same seed in the same order.

const CUSTOMERS = ["ann", "bob"];
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const { DRAFT, FINALIZED, PAID, UNCOLLECTIBLE } = InvoiceState;

// What a call may be refused with; anything else is a fault.
const REFUSALS = [Code.FailedPrecondition, Code.AlreadyExists, Code.InvalidArgument, Code.NotFound];

/** What happened. */
export interface RandomTenant {
  /** Every step, in words. */
  told: string[];
  /** Idempotency keys of the usage that was reported. */
  keys: string[];
}

/** Something that may happen, and how often. It answers what it did, in words. */
type Act = [weight: number, name: string, act: () => Promise<unknown>];

/** Does so many things at random, some beside the workers; then all ends, and what is to come has come. */
export async function randomTenant(harness: Harness, seed: number, steps: number): Promise<RandomTenant> {
  const world = worldOf(harness, seed);
  const { pick, below, told, keys } = world;
  const gracePeriod = { seconds: BigInt(pick([0, 3_600, 3 * 86_400])) };
  const timeZone = pick(["UTC", "Europe/Berlin", "Asia/Kathmandu"]);
  await harness.clients.tenant.updateTenant({ gracePeriod, timeZone });
  const acts = [usageActs, subscriptionActs, settlementActs, invoiceActs, timeActs]
    .flatMap((actsOf) => actsOf(world))
    .flatMap(([weight, name, act]) => Array.from({ length: weight }, () => ({ name, act })));
  for (let n = 0; n < steps; n++) {
    const { name, act } = pick(acts);
    const beside = below(3) === 0 ? harness.drain() : undefined;
    try {
      const did = await act().finally(() => beside);
      told.push(`${name} ${did}${beside ? " beside the workers" : ""}`);
    } catch (reason) {
      const error = ConnectError.from(reason);
      if (!REFUSALS.includes(error.code)) throw new Error([`seed ${seed}`, ...told, name].join("\n"), { cause: error });
      told.push(`${name} refused: ${error.rawMessage}`);
    }
  }
  await harness.drain();
  for (const { id } of (await harness.clients.pricing.listSubscriptions({})).subscriptions) {
    await harness.clients.pricing.endSubscription({ id, timing: ChangeTiming.NOW });
  }
  await world.advance(40 * DAY_MS);
  return { told, keys };
}

/** What acts are made of. */
function worldOf(harness: Harness, seed: number) {
  const below = seeded(seed);
  const { clients, ownerDb, tenant } = harness;
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const now = async () => {
    const rows = ownerDb.selectFrom("tenant").select("clock_frozen_at").where("tenant_id", "=", tenant.testId);
    return ((await rows.executeTakeFirstOrThrow()).clock_frozen_at as Date).getTime();
  };
  const told: string[] = [];
  const keys: string[] = [];
  return {
    harness,
    clients,
    below,
    pick,
    now,
    told,
    keys,
    /** Any of these; one that is not there when there is none. */
    anyOf: <T>(from: readonly T[]): T | undefined => (from.length > 0 ? pick(from) : undefined),
    at: (ms: number) => timestampFromDate(new Date(ms)),
    async subscription(): Promise<Pick<Subscription, "id" | "customerId" | "plan">> {
      const { subscriptions } = await clients.pricing.listSubscriptions({});
      return subscriptions.length > 0 ? pick(subscriptions) : { id: "", customerId: "", plan: "" };
    },
    async invoice(...states: InvoiceState[]): Promise<Pick<Invoice, "id" | "number">> {
      const invoices = (await listAllInvoices(clients)).filter(({ state }) => states.includes(state));
      return invoices.length > 0 ? pick(invoices) : { id: "none", number: "" };
    },
    async advance(ms: number) {
      const to = new Date((await now()) + ms).toISOString();
      await harness.advanceTo(to);
      return to;
    },
  };
}

type World = ReturnType<typeof worldOf>;

function usageActs({ clients, below, pick, now, at, keys }: World): Act[] {
  const use = async () => {
    const around = await now();
    const events = Array.from({ length: 1 + below(4) }, () => {
      const key = `e${keys.length}`;
      keys.push(key);
      const back = pick([10 * MINUTE_MS, HOUR_MS, DAY_MS, 20 * DAY_MS, 34 * DAY_MS]);
      const metric = pick(anyCatalog.metrics).key;
      const region = pick<Record<string, string>>([{}, { region: "eu" }, { region: "us" }]);
      return {
        idempotencyKey: key,
        metric,
        customerId: pick(CUSTOMERS),
        amount: `${metric === "LEVEL" && below(3) === 0 ? "-" : ""}${below(90)}.${below(100)}`,
        occurredAt: at(around - below(back)),
        properties: { ...region, user: `u${below(4)}` },
      };
    });
    await clients.usage.trackUsage({ events, backfill: true });
    return events.map(({ idempotencyKey, customerId, metric }) => `${idempotencyKey} ${customerId} ${metric}`);
  };
  const voidUsage = async () => {
    const idempotencyKeys = keys.length > 0 ? [pick(keys)] : ["none"];
    await clients.usage.voidUsage({ idempotencyKeys, reason: "x" });
    return idempotencyKeys;
  };
  return [
    [12, "use", use],
    [3, "void usage", voidUsage],
  ];
}

function subscriptionActs({ clients, below, pick, now, at, subscription }: World): Act[] {
  const timing = () => pick([ChangeTiming.NOW, ChangeTiming.NOW, ChangeTiming.PERIOD_END]);
  const start = async () => {
    const second = Math.floor((await now()) / SECOND_MS) - below((4 * DAY_MS) / SECOND_MS);
    const plan = pick(anyCatalog.plans).key;
    const from = pick([{}, { startAt: at(second * SECOND_MS) }]);
    const request = { customerId: pick(CUSTOMERS), plan, quantity: below(4), ...from };
    await clients.pricing.startSubscription(request);
    return [request.customerId, plan, request.quantity];
  };
  const change = async () => {
    const { id, customerId } = await subscription();
    const request = { id, plan: pick(["", pick(anyCatalog.plans).key]), quantity: below(5), timing: timing() };
    await clients.pricing.changeSubscription(request);
    return [customerId, request.plan, request.quantity, ChangeTimingSchema.value[request.timing]?.localName ?? ""];
  };
  const end = async () => {
    const { id, customerId, plan } = await subscription();
    const request = { id, timing: timing() };
    await clients.pricing.endSubscription(request);
    return [customerId, plan, ChangeTimingSchema.value[request.timing]?.localName ?? ""];
  };
  const resume = async () => {
    const { id, customerId, plan } = await subscription();
    await clients.pricing.resumeSubscription({ id });
    return [customerId, plan];
  };
  const thresholds = async () => {
    const { id, plan } = await subscription();
    await clients.pricing.setSpendThresholds({ id, amounts: ["1", "5"] });
    return plan;
  };
  return [
    [4, "start", start],
    [6, "change", change],
    [2, "end", end],
    [1, "resume", resume],
    [1, "thresholds", thresholds],
  ];
}

function settlementActs({ clients, below, pick, anyOf, now, at, subscription }: World): Act[] {
  const tax = (name: string, percent: string, inclusive: boolean) => ({ name, percent, inclusive });
  const discount = async () => {
    const { id: subscriptionId, plan } = await subscription();
    const value = pick([
      { case: "percent", value: "33.3" } as const,
      { case: "amount", value: "7" } as const,
      { case: "amount", value: "100" } as const,
    ]);
    const periods = { case: "periods", value: 1 + below(2) } as const;
    const duration = pick([periods, { case: "forEver", value: true } as const]);
    await clients.pricing.createDiscount({ subscriptionId, name: "offer", value, duration });
    return [plan, value.value, duration.value];
  };
  const endDiscount = async () => {
    const { discounts } = await clients.pricing.listDiscounts({});
    const { discount } = await clients.pricing.endDiscount({ id: anyOf(discounts)?.id ?? "", atOnce: below(2) === 0 });
    return discount?.id;
  };
  const taxes = async () => {
    const mixed = [tax("GST", "7.5", true), tax("state", "8.875", false), tax("city", "0.5", true)];
    const taxRates = pick([[], [tax("VAT", "19", false)], mixed]);
    const id = pick(CUSTOMERS);
    await clients.tenant.putCustomer({ customer: { id, name: id, taxRates } });
    return [id, taxRates.length];
  };
  const credit = async () => {
    const expires = pick([{}, { expiresAt: at((await now()) + 1 + below(40 * DAY_MS)) }]);
    const request = { customerId: pick(CUSTOMERS), currency: pick(["USD", "USD", "JPY", "KWD"]) };
    const { creditGrant } = await clients.invoice.createCreditGrant({
      ...request,
      amount: `${1 + below(60)}`,
      priority: below(3),
      ...expires,
    });
    return [request.customerId, request.currency, creditGrant?.amountMinor];
  };
  const revoke = async () => {
    const { creditGrants } = await clients.invoice.listCreditGrants({});
    const { creditGrant } = await clients.invoice.revokeCreditGrant({ id: anyOf(creditGrants)?.id ?? "", reason: "x" });
    return creditGrant?.note;
  };
  return [
    [2, "discount", discount],
    [1, "end discount", endDiscount],
    [1, "tax", taxes],
    [3, "credit", credit],
    [1, "revoke", revoke],
  ];
}

function invoiceActs({ clients, below, pick, subscription, invoice }: World): Act[] {
  const creditNote = async () => {
    const { id: invoiceId, number } = await invoice(FINALIZED, PAID, UNCOLLECTIBLE);
    const scope = pick([
      { case: "full", value: true } as const,
      { case: "amountMinor", value: BigInt(1 + below(500)) } as const,
      { case: "lines", value: create(CreditNoteLinesSchema, { lines: [{ position: 1 + below(3) }] }) } as const,
    ]);
    const settlement = pick([CreditNoteSettlement.CREDIT, CreditNoteSettlement.REFUND]);
    await clients.invoice.createCreditNote({ invoiceId, scope, reason: "x", settlement });
    return number;
  };
  const on = async (states: InvoiceState[], call: (id: string) => Promise<unknown>) => {
    const { id, number } = await invoice(...states);
    await call(id);
    return number || id;
  };
  const owed = [FINALIZED, UNCOLLECTIBLE];
  const preview = async () => {
    const { id, plan } = await subscription();
    await clients.invoice.previewInvoice({ subject: { case: "subscriptionId", value: id } });
    return plan;
  };
  return [
    [2, "credit note", creditNote],
    [3, "void", () => on(owed, (id) => clients.invoice.voidInvoice({ id, reason: "x" }))],
    [2, "pay", () => on(owed, (id) => clients.invoice.markInvoicePaid({ id }))],
    [1, "give up", () => on(owed, (id) => clients.invoice.markInvoiceUncollectible({ id }))],
    [2, "finalize", () => on([DRAFT], (id) => clients.invoice.finalizeInvoice({ id }))],
    [1, "preview", preview],
  ];
}

function timeActs({ harness, below, now, advance }: World): Act[] {
  // Nothing is done meanwhile: many drafts may be final at once afterwards.
  const standStill = async () => {
    const to = new Date((await now()) + below(below(3) === 0 ? 40 * DAY_MS : 3 * HOUR_MS)).toISOString();
    await setClock(harness, to);
    return to;
  };
  return [
    [4, "stand still", standStill],
    [4, "a moment", () => advance(below(3) * SECOND_MS)],
    [4, "an hour", () => advance(below(2 * HOUR_MS))],
    [4, "days", () => advance(below(9 * DAY_MS))],
    [1, "weeks", () => advance(below(40 * DAY_MS))],
    [4, "drain", () => harness.drain()],
  ];
}
