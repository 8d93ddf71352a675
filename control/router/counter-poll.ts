/**
 * Reads all counters at an interval and on demand, one read at a time, and keeps the newest two for rates. Interprets nothing.
 */
import type { CounterSnapshot, Dataplane, RouteCounters } from '../dataplane/api';
import type { Clock } from '../kernel/clock';
import type { Log } from '../log';

/** Rates over a shorter time than this would jump. */
const SHORTEST_RATE_MS = 200;
const BITS_PER_BYTE = 8;
const NO_COUNTERS: CounterSnapshot = { routes: new Map(), vports: new Map() };

interface Reading {
  readonly snapshot: CounterSnapshot;
  readonly atMs: number;
  readonly atWallMs: number;
}

export interface Rate {
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
}

export class CounterPoll {
  readonly #dataplane: Dataplane;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onRead: (current: CounterSnapshot, previous: CounterSnapshot) => void;
  #current: Reading;
  /** Old enough to measure a rate against. */
  #base: Reading;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(dataplane: Dataplane, clock: Clock, log: Log, onRead: (current: CounterSnapshot, previous: CounterSnapshot) => void) {
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

  start(intervalMs: number): void {
    this.#timer = setInterval(() => {
      this.refresh().catch((error: unknown) => this.#log.error({ err: error }, 'read the counters from the kernel'));
    }, intervalMs);
  }

  /** Concurrent calls share one read. */
  refresh(): Promise<void> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  rateOf(name: string): Rate {
    const now = this.#current.snapshot.routes.get(name);
    const seconds = (this.#current.atMs - this.#base.atMs) / 1000;
    if (now === undefined || seconds <= 0) return { packetsPerSecond: 0, bitsPerSecond: 0 };
    const before = this.#base.snapshot.routes.get(name);
    return {
      packetsPerSecond: Number(positive(now, before, 'packets')) / seconds,
      bitsPerSecond: (Number(positive(now, before, 'bytes')) * BITS_PER_BYTE) / seconds,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  async #read(): Promise<void> {
    const snapshot = await this.#dataplane.readCounters();
    const reading = { snapshot, atMs: this.#clock.nowMs(), atWallMs: this.#clock.nowWallMs() };
    const previous = this.#current;
    if (previous.atMs - this.#base.atMs >= SHORTEST_RATE_MS || reading.atMs - previous.atMs >= SHORTEST_RATE_MS) this.#base = previous;
    this.#current = reading;
    this.#onRead(snapshot, previous.snapshot);
  }
}

/** A route that was removed and came back starts from zero. */
function positive(now: RouteCounters, before: RouteCounters | undefined, field: 'packets' | 'bytes'): bigint {
  const difference = now[field] - (before?.[field] ?? 0n);
  return difference < 0n ? now[field] : difference;
}
