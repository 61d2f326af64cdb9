import { stripVTControlCharacters } from "node:util";
import { type Event, type EventData, EventDataSchema } from "../../gen/usageflow/v1/event_pb.ts";
import { type Invoice, InvoiceState } from "../../gen/usageflow/v1/invoice_pb.ts";
import type { Plan } from "../../gen/usageflow/v1/pricing_pb.ts";
import type { Customer } from "../../gen/usageflow/v1/tenant_pb.ts";
import type { GetUsageResponse } from "../../gen/usageflow/v1/usage_service_pb.ts";
import type { Delivery } from "../../gen/usageflow/v1/webhook_pb.ts";
import { invoiceDocument } from "../document/invoice-document.ts";
import { documentText } from "../document/text.ts";
import { bar } from "../output/bar.ts";
import { deliveryText } from "../output/delivery.ts";
import { bare } from "../output/json.ts";
import { facts } from "../output/table.ts";
import { date, printable, time } from "../output/text.ts";
import { type Line, line, lineOf } from "./line.ts";
import { planLines } from "./plan-lines.ts";
import type { PageState } from "./state.ts";
import { digits } from "./words.ts";

// One thing in full. What other commands print of it is shown here too: a person learns to read it once.

/** A delivery: where it stands, each attempt, and what was sent. */
export function deliveryPage(delivery: Delivery, event: Event | undefined): PageState {
  const told = deliveryText(delivery);
  const sent = event?.data ? [line(""), line("What was sent", { bold: true }), ...jsonLines(event.data)] : [];
  const linesIn = (width: number) => [...wrappedLines(told, width), ...sent];
  return { title: `Delivery of ${delivery.eventType}`, id: delivery.id, top: 0, linesIn };
}

/** An invoice, with how each amount came about. */
export function invoicePage(invoice: Invoice): PageState {
  const name = invoice.state === InvoiceState.DRAFT ? "Draft" : `Invoice ${invoice.number}`;
  const title = `${name} of ${printable(invoice.customerId)}`;
  const linesIn = (width: number) =>
    textLines(documentText(invoiceDocument(invoice), width), /^(LINE|Total|Amount due)/);
  return { title, id: invoice.number || invoice.id, top: 0, linesIn };
}

/** A plan, with its tiers drawn. */
export function planPage(plan: Plan): PageState {
  return { title: `Plan ${plan.key}`, id: plan.key, top: 0, linesIn: (width) => planLines(plan, width) };
}

/** An event, with its facts. */
export function eventPage(event: Event): PageState {
  const head = facts({ Event: event.id, Happened: `${time(event.occurredAt)} UTC`, Customer: event.customerId });
  const lines = [...textLines(head), line(""), ...(event.data ? jsonLines(event.data) : [])];
  return { title: event.type, id: event.id, top: 0, linesIn: () => lines };
}

const QUANTITY_MIN = 8;

/** What was used day by day. */
export function usagePage(metric: string, customer: Customer | undefined, { points }: GetUsageResponse): PageState {
  const quantities = points.map(({ quantity }) => digits(quantity));
  const most = Math.max(...points.map(({ quantity }) => Number(quantity)));
  const right = Math.max(QUANTITY_MIN, ...quantities.map((text) => text.length));
  const linesIn = (width: number) =>
    points.map((point, at) => {
      const share = most > 0 ? Math.max(0, Number(point.quantity) / most) : 0;
      const drawn = bar(share, Math.max(0, width - right - 16));
      return lineOf(`${date(point.start)}  ${(quantities[at] ?? "").padStart(right)}  `, {
        text: drawn,
        color: "cyan",
      });
    });
  const of = customer ? ` of ${printable(customer.id)}` : "";
  return { title: `${metric}${of}, day by day`, id: customer?.id ?? metric, top: 0, linesIn };
}

/** The lines of a text, without looks but that of its heads. */
function textLines(text: string, strong = /^(?!)/): Line[] {
  return stripVTControlCharacters(text)
    .split("\n")
    .map((one) => line(one, strong.test(one) ? { bold: true } : {}));
}

const VALUE_AT = 12;

/** Names and values, of which what is too long goes on below. */
function wrappedLines(text: string, width: number): Line[] {
  const room = Math.max(8, width - VALUE_AT);
  return text.split("\n").flatMap((one) => {
    if (one.length <= width) return [line(one)];
    const rest = one.slice(width);
    const parts = Array.from({ length: Math.ceil(rest.length / room) }, (_, at) =>
      rest.slice(at * room, (at + 1) * room),
    );
    return [line(one.slice(0, width)), ...parts.map((part) => line(" ".repeat(VALUE_AT) + part))];
  });
}

function jsonLines(data: EventData): Line[] {
  const text = JSON.stringify(bare(EventDataSchema, data), null, 2);
  return text.split("\n").map((one) => {
    const [, indent = "", name, rest] = /^(\s*)("[^"]*":)?(.*)$/.exec(printable(one)) ?? [];
    return name === undefined ? line(printable(one)) : lineOf(indent, { text: name, color: "cyan" }, rest ?? "");
  });
}
