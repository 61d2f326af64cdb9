/** A span as what follows from it knows it: W3C Trace Context. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Whether it is recorded. */
  readonly sampled: boolean;
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
const BYTES = 24;

/** The span that a `traceparent` header names. Undefined: there is none, or it is none. */
export function parseTraceparent(header: string | null | undefined): Trace | undefined {
  const [, traceId, spanId, flags = "0"] = TRACEPARENT.exec(header ?? "") ?? [];
  return traceId && spanId ? { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 } : undefined;
}

/** A span as a `traceparent` header. */
export function formatTraceparent({ traceId, spanId, sampled }: Trace): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/** A span as a column keeps it, in 24 bytes. Null: what is not recorded leaves no trace. */
export function traceColumn(trace: Trace | undefined): Buffer | null {
  return trace?.sampled ? Buffer.from(trace.traceId + trace.spanId, "hex") : null;
}

/** The span that a column keeps. */
export function traceFrom(column: Buffer | null | undefined): Trace | undefined {
  if (column?.length !== BYTES) return undefined;
  const hex = column.toString("hex");
  return { traceId: hex.slice(0, 32), spanId: hex.slice(32), sampled: true };
}
