import { afterCommit, type Tx } from "../db/database.ts";
import { noSpan, type Observer, type OpenSpan, type SpanName, type SpanStart } from "./observer.ts";
import type { Trace } from "./trace.ts";

// What a transaction does is traced under what it follows from. Nouns take part in somebody's transaction and do not know
// whose: it is kept beside the transaction.

const traced = new WeakMap<Tx, { observer: Observer; trace: Trace | undefined }>();

/** Has what the transaction does traced, under a span if it follows from one. */
export function traceTx(tx: Tx, observer: Observer, trace?: Trace | undefined): void {
  if (observer.tracing) traced.set(tx, { observer, trace });
}

/** Whether what the transaction does is traced. */
export function isTraced(tx: Tx): boolean {
  return traced.has(tx);
}

/** The span that the transaction follows from. */
export function traceOf(tx: Tx): Trace | undefined {
  return traced.get(tx)?.trace;
}

/** Begins a span of something that the transaction does. What is rolled back leaves none. */
export function beginIn(tx: Tx, name: SpanName, start: SpanStart = {}): OpenSpan {
  const span = traced.get(tx)?.observer.begin(name, start);
  if (!span) return noSpan;
  return { trace: span.trace, end: (facts, failed) => afterCommit(tx, () => span.end(facts, failed)) };
}

/** Under the first of two spans that there is, and linked to the other. */
export function followsFrom(first: Trace | undefined, other: Trace | undefined): SpanStart {
  return first && other ? { parent: first, links: [other] } : { parent: first ?? other };
}
