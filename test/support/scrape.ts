/** One value of a scrape. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** What `/metrics` told: values by name, those of a histogram by `_count`, `_sum` and `_bucket`. */
export type Scrape = ReadonlyMap<string, readonly Sample[]>;

/** Reads Prometheus' text format, as far as a server of ours writes it. Throws at a line that is none. */
export function readScrape(text: string): Scrape {
  const samples = new Map<string, Sample[]>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("# ")) continue;
    const [, name, pairs = "", value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!name || value === undefined || Number.isNaN(Number(value.replace("+Inf", "Infinity")))) {
      throw new Error(`no sample: ${line}`);
    }
    const labels = Object.fromEntries(
      [...pairs.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]),
    );
    samples.set(name, [...(samples.get(name) ?? []), { labels, value: Number(value) }]);
  }
  return samples;
}

/** The values of a metric that have these labels, added up. */
export function sumOf(scrape: Scrape, name: string, labels: Record<string, string> = {}): number {
  const found = (scrape.get(name) ?? []).filter((one) =>
    Object.entries(labels).every(([key, text]) => one.labels[key] === text),
  );
  return found.reduce((sum, { value }) => sum + value, 0);
}
