/** Where OpenTelemetry's own protocol goes, and how much: its standard variables (OTEL_*). */
export interface OtlpConfig {
  /** Undefined: no metrics are sent. */
  otlpMetricsUrl: string | undefined;
  /** How long between two times that metrics are sent. */
  otlpMetricsIntervalMs: number;
  /** Undefined: nothing is traced. */
  otlpTracesUrl: string | undefined;
  /** How many of the calls are traced that come without a `traceparent`: 0 to 1. */
  traceShare: number;
  /** Whether a caller's `traceparent` says if its call is traced. */
  traceByCaller: boolean;
}

/** Nothing is sent. */
export const otlpOff: OtlpConfig = {
  otlpMetricsUrl: undefined,
  otlpMetricsIntervalMs: 60_000,
  otlpTracesUrl: undefined,
  traceShare: 1,
  traceByCaller: true,
};

const SAMPLERS = /^(parentbased_)?(always_on|always_off|traceidratio)$/;

/**
 * Reads the standard variables. What is about the exchange itself (OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _COMPRESSION,
 * _CERTIFICATE) the packages read by themselves.
 */
export function readOtlpConfig(env: Record<string, string | undefined>, problems: string[]): OtlpConfig {
  if (env.OTEL_SDK_DISABLED === "true") return otlpOff;
  if (env.OTEL_EXPORTER_OTLP_PROTOCOL === "grpc") {
    problems.push('OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": only OTLP over HTTP is spoken, usually on port 4318');
  }
  const urlOf = (signal: "metrics" | "traces"): string | undefined => {
    const name = signal.toUpperCase();
    if (env[`OTEL_${name}_EXPORTER`] === "none") return undefined;
    const own = env[`OTEL_EXPORTER_OTLP_${name}_ENDPOINT`];
    const base = env.OTEL_EXPORTER_OTLP_ENDPOINT;
    const url = own || (base && `${base.replace(/\/$/, "")}/v1/${signal}`);
    // Not repeated: somebody may have put a password in it.
    if (url && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      problems.push(`OTEL_EXPORTER_OTLP_${own ? `${name}_` : ""}ENDPOINT must be a URL such as http://localhost:4318`);
    }
    return url || undefined;
  };
  const sampler = env.OTEL_TRACES_SAMPLER || "parentbased_always_on";
  const [, byCaller, kind] = SAMPLERS.exec(sampler) ?? [];
  if (!kind) problems.push(`OTEL_TRACES_SAMPLER must be one such as parentbased_traceidratio, and is "${sampler}"`);
  const share = kind === "always_off" ? 0 : kind === "traceidratio" ? Number(env.OTEL_TRACES_SAMPLER_ARG || 1) : 1;
  if (!(share >= 0 && share <= 1)) problems.push("OTEL_TRACES_SAMPLER_ARG must be from 0 to 1, such as 0.01");
  const intervalMs = Number(env.OTEL_METRIC_EXPORT_INTERVAL || otlpOff.otlpMetricsIntervalMs);
  if (!(Number.isSafeInteger(intervalMs) && intervalMs >= 1_000)) {
    problems.push("OTEL_METRIC_EXPORT_INTERVAL must be a number of milliseconds of at least 1000");
  }
  return {
    otlpMetricsIntervalMs: intervalMs,
    otlpMetricsUrl: urlOf("metrics"),
    otlpTracesUrl: urlOf("traces"),
    traceShare: share,
    traceByCaller: byCaller !== undefined,
  };
}
