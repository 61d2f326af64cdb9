import type { Observer, OpenSpan } from "../observe/observer.ts";
import { type Trace, traceColumn } from "../observe/trace.ts";

/** A request that is in a commit with others. */
interface Committed {
  tenantId: string;
  trace: Trace | undefined;
}

/** The spans of a commit, and what its batches carry on. */
export interface TracedCommit {
  tenants: readonly string[];
  /** Of each of these tenants, a span that its batch follows from. */
  traces: readonly (Buffer | null)[];
  end(failed: boolean): void;
}

const untraced: TracedCommit = { tenants: [], traces: [], end() {} };

/**
 * Begins a span for each traced request of a commit, in that request's own trace. The batch of a tenant carries the first one;
 * the others are linked to it, so that each leads on.
 */
export function beginCommit(observer: Observer, group: readonly Committed[]): TracedCommit {
  if (!observer.tracing || !group.some(({ trace }) => trace?.sampled)) return untraced;
  const carried = new Map<string, Trace>();
  const spans: OpenSpan[] = [];
  for (const { tenantId, trace } of group) {
    if (!trace?.sampled) continue;
    const first = carried.get(tenantId);
    const span = observer.begin("usage.commit", { parent: trace, links: first ? [first] : [] });
    if (!first && span.trace) carried.set(tenantId, span.trace);
    spans.push(span);
  }
  return {
    tenants: [...carried.keys()],
    traces: Array.from(carried.values(), traceColumn),
    end(failed) {
      for (const span of spans) span.end({ count: group.length }, failed);
    },
  };
}
