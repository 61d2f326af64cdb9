import type { Config } from "../config.ts";
import type { Facts } from "./fact.ts";
import type { CounterName, GaugeName, HistogramName, LabelsOf } from "./metric.ts";
import type { Trace } from "./trace.ts";

// Metrics and traces, if somebody wants them. Nothing of OpenTelemetry is loaded otherwise:
// `create-observer.ts` alone knows where it is.

/** Tells the value of a gauge. */
export type Tell = <Name extends GaugeName>(name: Name, labels: LabelsOf<Name>, value: number) => void;

/** What happens, as a trace shows it: these, and no others. */
export type SpanName =
  | "rpc"
  | "usage.commit"
  | "usage.fold"
  | "invoice.draft"
  | "invoice.finalize"
  | "event.dispatch"
  | "delivery.attempt";

export interface SpanStart {
  /** What it follows from. Absent: it begins a trace of its own. */
  parent?: Trace | undefined;
  /** What else it follows from. */
  links?: readonly Trace[];
  /** When it began, in milliseconds since 1970. Absent: now. */
  startedAt?: number;
}

/** Something that is under way. */
export interface OpenSpan {
  /** Undefined: nothing is traced. */
  readonly trace: Trace | undefined;
  /** `failed`: it did not do what it was to do. */
  end(facts?: Facts, failed?: boolean): void;
}

/** Whom the server tells of its work. All of it returns at once, and none of it throws. */
export interface Observer {
  /** Whether metrics are read by anybody. */
  readonly metering: boolean;
  /** Whether traces are. */
  readonly tracing: boolean;
  /** Counts something. */
  count<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  /** Tells of one value of many, such as a duration in seconds. */
  record<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Has gauges read whenever somebody asks for metrics. */
  watch(names: readonly GaugeName[], read: (tell: Tell) => void | Promise<void>): void;
  /** Begins a span. */
  begin(name: SpanName, start?: SpanStart): OpenSpan;
  /** All metrics in Prometheus' text format. */
  scrape(): Promise<string>;
  /** Sends what waits to be sent. */
  flush(): Promise<void>;
  /** The same, and the end of it. */
  close(): Promise<void>;
}

/** The span of who traces nothing. */
export const noSpan: OpenSpan = { trace: undefined, end() {} };

/** Nobody listens. */
export const unobserved: Observer = {
  metering: false,
  tracing: false,
  count() {},
  record() {},
  watch() {},
  begin: () => noSpan,
  scrape: async () => "",
  flush: async () => {},
  close: async () => {},
};

/** Whether anybody is to get metrics: they are read here, or sent. */
export function isMetering({ metricsToken, metricsPort, otlpMetricsUrl }: Config): boolean {
  return metricsToken !== undefined || metricsPort !== undefined || otlpMetricsUrl !== undefined;
}
