/**
 * Gets counters read for a scrape: scrapes that meet share one read, and none waits for it for ever. When a read fails the scrape shows
 * the figures of the read before: a gap in all graphs would say less.
 */
import type { StateSource } from '../api/state-source';
import type { Log } from '../log';

import type { ProcessMetrics } from './registry';

/** Half the scrape timeout Prometheus has by default. */
const PATIENCE_MS = 5000;

export class FreshCounters {
  readonly #state: StateSource;
  readonly #metrics: ProcessMetrics;
  readonly #log: Log;
  #reading: Promise<void> | undefined;

  constructor(state: StateSource, metrics: ProcessMetrics, log: Log) {
    this.#state = state;
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Never rejects. */
  async read(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer after ${PATIENCE_MS} ms`)), PATIENCE_MS);
    });
    try {
      await Promise.race([this.#sharedRead(), late]);
    } catch (error) {
      this.#metrics.countFailedRead();
      this.#log.warn({ err: error }, 'scrape shows older counters: reading them failed');
    } finally {
      clearTimeout(timer);
    }
  }

  #sharedRead(): Promise<void> {
    this.#reading ??= this.#timedRead().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #timedRead(): Promise<void> {
    const startedAt = performance.now();
    await this.#state.refreshCounters();
    this.#metrics.observeCounterRead((performance.now() - startedAt) / 1000);
  }
}
