/**
 * Reads all counters at an interval and on demand, one read at a time, and keeps the newest two for rates. Interprets nothing.
 */
import { NO_COUNTERS, type CounterSnapshot, type Dataplane, type RouteCounters } from '../dataplane/api';
import { XmcastError } from '../errors';
import type { Clock } from '../kernel/clock';
import type { Log } from '../log';

/** Rates over a shorter time than this would jump. */
const SHORTEST_RATE_MS = 200;
const BITS_PER_BYTE = 8;
const NO_RATE: Rate = { packetsPerSecond: 0, bitsPerSecond: 0 };

interface Reading {
  readonly snapshot: CounterSnapshot;
  readonly atMs: number;
  readonly atWallMs: number;
}

export interface Rate {
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
}

/** What is done with a read; the next one waits for it. */
type ReadHandler = (current: CounterSnapshot, previous: CounterSnapshot) => Promise<void>;

export class CounterPoll {
  readonly #dataplane: Dataplane;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onRead: ReadHandler;
  #current: Reading;
  /** Old enough to measure a rate against. */
  #base: Reading;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(dataplane: Dataplane, clock: Clock, log: Log, onRead: ReadHandler) {
    this.#dataplane = dataplane;
    this.#clock = clock;
    this.#log = log;
    this.#onRead = onRead;
    this.#current = { snapshot: NO_COUNTERS, atMs: clock.nowMs(), atWallMs: clock.nowWallMs() };
    this.#base = this.#current;
  }

  get snapshot(): CounterSnapshot {
    return this.#current.snapshot;
  }

  get readAtWallMs(): number {
    return this.#current.atWallMs;
  }

  /** Again for another interval. */
  start(intervalMs: number): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      this.refresh().catch((error: unknown) => this.#complain(error));
    }, intervalMs);
  }

  /** Concurrent calls share one read. */
  refresh(): Promise<void> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** `now`: the route's counters in the newest snapshot. */
  rateOf(name: string, now: RouteCounters): Rate {
    const seconds = (this.#current.atMs - this.#base.atMs) / 1000;
    if (seconds <= 0) return NO_RATE;
    const before = this.#base.snapshot.route(name);
    return {
      packetsPerSecond: Number(positive(now, before, 'packets')) / seconds,
      bitsPerSecond: (Number(positive(now, before, 'bytes')) * BITS_PER_BYTE) / seconds,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  #complain(error: unknown): void {
    // Of a data plane that cannot be reached its link has told already.
    if (error instanceof XmcastError && error.code === 'XM_DATAPLANE') return;
    this.#log.error({ err: error }, 'read the counters from the kernel');
  }

  async #read(): Promise<void> {
    const snapshot = await this.#dataplane.readCounters();
    const reading = { snapshot, atMs: this.#clock.nowMs(), atWallMs: this.#clock.nowWallMs() };
    const previous = this.#current;
    if (previous.atMs - this.#base.atMs >= SHORTEST_RATE_MS || reading.atMs - previous.atMs >= SHORTEST_RATE_MS) this.#base = previous;
    this.#current = reading;
    await this.#onRead(snapshot, previous.snapshot);
  }
}

/** A route that was removed and came back starts from zero. */
function positive(now: RouteCounters, before: RouteCounters | undefined, field: 'packets' | 'bytes'): bigint {
  const difference = now[field] - (before?.[field] ?? 0n);
  return difference < 0n ? now[field] : difference;
}
