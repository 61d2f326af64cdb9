import type { App } from "../../server/app.ts";
import { answer, startReceiver } from "./receiver.ts";

/** A span as it was sent. */
export interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  links: { traceId: string; spanId: string }[];
  facts: Record<string, unknown>;
}

/** Where OpenTelemetry's own protocol goes in a test. */
export interface Collector {
  url: string;
  /** All that came, as text. */
  text(): string;
  /** The spans that came, once the app has sent what it had. */
  spans(app: App): Promise<SentSpan[]>;
}

interface Sent {
  resourceSpans?: { scopeSpans: { spans: (Omit<SentSpan, "facts"> & { attributes: Attribute[] })[] }[] }[];
}
interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

/** A real HTTP server that takes OTLP as JSON. */
export async function startCollector(): Promise<Collector> {
  const { url, got, behave } = await startReceiver();
  behave(answer(200, "{}", { "content-type": "application/json" }));
  return {
    url,
    text: () => got.map(({ body }) => body).join("\n"),
    async spans(app) {
      await app.observer.flush();
      return got
        .flatMap(({ body }) => (JSON.parse(body) as Sent).resourceSpans ?? [])
        .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
        .map(({ attributes, links = [], parentSpanId = "", ...span }) => ({
          ...{ ...span, parentSpanId, links },
          facts: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
        }));
    },
  };
}

/** The names of a span and of those that it follows from, back to the first. */
export function pathOf(spans: readonly SentSpan[], last: SentSpan): string[] {
  const path = [last.name];
  for (let span: SentSpan | undefined = last; span; ) {
    const before: SentSpan | undefined = spans.find(({ spanId }) => spanId === span?.parentSpanId);
    if (before) path.unshift(before.name);
    span = before;
  }
  return path;
}
