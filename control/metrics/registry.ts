/**
 * The only module that knows prom-client. It holds what the process measures of itself: Node's default metrics and the reading and
 * serving of counters. Figures of the router do not come through here: prom-client has no counter that can be set from outside, and
 * is too slow for one series per flow.
 */
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

export interface ProcessMetrics {
  readonly contentType: string;
  /** How long one read of all counters took. */
  observeCounterRead(seconds: number): void;
  countFailedRead(): void;
  countRefusedScrape(): void;
  /** Complete families in text format. */
  text(): Promise<string>;
}

/** Gauges that are named like counters; each is the sum of one that is not. */
const MISNAMED = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total'];
const READ_SECONDS_BUCKETS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];

export function createProcessMetrics(): ProcessMetrics {
  // A registry of our own: nothing another library registers by default can slip into the exposition.
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const reads = new Histogram({
    name: 'xmcast_stats_read_duration_seconds',
    help: 'Time to read all counters of the data plane for a scrape.',
    buckets: READ_SECONDS_BUCKETS,
    registers,
  });
  const failed = new Counter({
    name: 'xmcast_stats_reads_failed_total',
    help: 'Scrapes that show older counters because reading them failed or took too long.',
    registers,
  });
  const refused = new Counter({
    name: 'xmcast_scrapes_refused_total',
    help: 'Scrapes answered with 503 because too many were under way.',
    registers,
  });
  return {
    contentType: registry.contentType,
    observeCounterRead: (seconds) => reads.observe(seconds),
    countFailedRead: () => failed.inc(),
    countRefusedScrape: () => refused.inc(),
    text: async () => wellFormed(await registry.metrics()),
  };
}

/** prom-client writes "Nan" (a mean before the first measurement), which is no number of the text format. */
function wellFormed(text: string): string {
  return text.replaceAll(/ Nan$/gm, ' NaN');
}
