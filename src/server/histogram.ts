/** Labels of a metric, such as { route: "/v1/models" }. */
export type Labels = Readonly<Record<string, string | number>>;

/** A histogram of durations, for Prometheus. */
export interface Histogram {
  observe(seconds: number, labels?: Labels): void;
  /** Writes Prometheus' text format, with help and type. */
  render(): string;
}

interface Series {
  readonly labels: Labels;
  /** Observations per bucket. The last bucket has no upper bound. */
  readonly counts: number[];
  sum: number;
}

/** @param bounds upper bounds of the buckets, in seconds, ascending. */
export function createHistogram(name: string, help: string, bounds: readonly number[]): Histogram {
  const all = new Map<string, Series>();
  return {
    observe(seconds, labels = {}): void {
      const key = renderLabels(labels);
      let series = all.get(key);
      if (series === undefined) {
        series = { labels, counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 };
        all.set(key, series);
      }
      const found = bounds.findIndex((bound) => seconds <= bound);
      const at = found < 0 ? bounds.length : found;
      series.counts[at] = (series.counts[at] ?? 0) + 1;
      series.sum += seconds;
    },
    render(): string {
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
      for (const [key, { labels, counts, sum }] of all) {
        let below = 0;
        counts.forEach((count, index) => {
          below += count;
          lines.push(`${name}_bucket${renderLabels({ ...labels, le: bounds[index] ?? "+Inf" })} ${below}`);
        });
        lines.push(`${name}_sum${key} ${sum}`, `${name}_count${key} ${below}`);
      }
      return `${lines.join("\n")}\n`;
    },
  };
}

/** The labels in Prometheus' text format. */
export function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(String(value))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
