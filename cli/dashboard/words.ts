import { type Duration, type Timestamp, timestampDate, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Invoice, InvoiceState, InvoiceStateSchema } from "../../gen/usageflow/v1/invoice_pb.ts";
import { type Delivery, DeliveryState } from "../../gen/usageflow/v1/webhook_pb.ts";
import { deliveryState } from "../output/delivery.ts";
import { word } from "../output/text.ts";
import type { Color } from "./line.ts";

// How things are told on the dashboard, in few cells.

const DELIVERY_COLORS: Partial<Record<DeliveryState, Color>> = {
  [DeliveryState.PENDING]: "yellow",
  [DeliveryState.DELIVERED]: "green",
  [DeliveryState.FAILED]: "red",
};

const INVOICE_COLORS: Partial<Record<InvoiceState, Color>> = {
  [InvoiceState.DRAFT]: "yellow",
  [InvoiceState.FINALIZED]: "cyan",
  [InvoiceState.PAID]: "green",
  [InvoiceState.UNCOLLECTIBLE]: "red",
};

/** The colour of where a delivery stands: one that failed and waits for its next attempt is as red as its last answer. */
export function deliveryColor({ state, attemptCount }: Delivery): Color | undefined {
  return state === DeliveryState.PENDING && attemptCount > 0 ? "red" : DELIVERY_COLORS[state];
}

/** The colour of where an invoice stands. */
export function invoiceColor({ state }: Invoice): Color | undefined {
  return INVOICE_COLORS[state];
}

/** Where a delivery stands, in a word; `retrying` for one that failed and is tried again. */
export function deliveryWord(delivery: Delivery): string {
  if (delivery.state === DeliveryState.PENDING && delivery.attemptCount > 0 && !delivery.heldBy) return "retrying";
  return deliveryState(delivery);
}

/** What the last attempt was answered with. */
export function lastAnswer({ attemptCount, lastStatus, lastError }: Delivery): string {
  if (attemptCount === 0) return "";
  return lastStatus > 0 ? String(lastStatus) : lastError;
}

/** What a filter looks at. */
export function deliverySearch(delivery: Delivery): string {
  const { id, eventType, eventId, endpointId, customerId } = delivery;
  return `${id} ${eventType} ${eventId} ${endpointId} ${customerId} ${deliveryWord(delivery)} ${lastAnswer(delivery)}`.toLowerCase();
}

/** What a filter looks at. */
export function invoiceSearch({ id, number, customerId, state, plan }: Invoice): string {
  return `${id} ${number} ${customerId} ${plan} ${word(InvoiceStateSchema, state)}`.toLowerCase();
}

/** A time of this or another day, by this machine's clock and in its zone. */
export function clockTime(at: Timestamp | undefined): string {
  return at ? timestampDate(at).toLocaleTimeString("sv-SE") : "";
}

/** How long ago something was, such as `12 s`, `3 min`, `2 h`, `5 d`. */
export function ago(now: number, at: Timestamp | number | undefined): string {
  if (at === undefined) return "";
  const seconds = Math.max(0, Math.round((now - (typeof at === "number" ? at : timestampMs(at))) / 1_000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 100 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** A span of time of an attempt, such as `12 ms` or `1.5 s`. */
export function took(duration: Duration | undefined): string {
  if (!duration) return "";
  const ms = Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** A decimal with its digits in threes, such as `1,234,567.5`. */
export function digits(decimal: string): string {
  const [whole = "", rest] = decimal.split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest === undefined ? "" : `.${rest}`);
}
