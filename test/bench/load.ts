/** What every load has. */
export interface Load {
  url: string;
  /** API keys, shared out over the connections. */
  keys: readonly string[];
  /** Requests in flight. */
  connections: number;
  /** How long to go on. */
  ms: number;
}

/** What a load saw. */
export interface LoadResult {
  /** Answers per second. */
  rate: number;
  p50Ms: number;
  p99Ms: number;
  /** Answers by status. */
  statuses: Record<string, number>;
}

/** Sums up a load. */
export function summarise(latencies: number[], ms: number, statuses: Map<string, number>): LoadResult {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    rate: (latencies.length / ms) * 1_000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    statuses: Object.fromEntries(statuses),
  };
}
