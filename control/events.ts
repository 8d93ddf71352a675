/**
 * What has happened to the router, each once: one call writes the line in the log and keeps the event for the API. A bounded ring in
 * memory; hosts decide how often some of these happen, so each type has a rate beyond which its events are only counted.
 */
import { randomBytes } from 'node:crypto';

import type { Log } from './log';

export const EVENT_TYPES = [
  'started', 'interface-added', 'interface-removed', 'interface-up', 'interface-down', 'interface-attached', 'interface-failed',
  'querier-changed', 'membership-limit', 'igmp-mismatch', 'route-refused', 'route-recovered', 'loop', 'upstream-changed',
  'policer-began', 'policer-ended', 'config-applied', 'config-confirmed', 'config-reverted', 'config-failed', 'log-level-changed',
  'counters-reset', 'notice',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** In ascending order; also the levels of the log. */
export const EVENT_SEVERITIES = ['info', 'warn', 'error'] as const;
export type EventSeverity = (typeof EVENT_SEVERITIES)[number];

export interface NewEvent {
  readonly type: EventType;
  /** Default 'info'. */
  readonly severity?: EventSeverity;
  /** Interface, route or other thing it is about; default "": the router. */
  readonly subject?: string;
  /** One sentence. */
  readonly text: string;
  /** For the log only. */
  readonly fields?: object;
}

export interface RouterEvent {
  /** From 1 on. */
  readonly sequence: number;
  readonly atWallMs: number;
  readonly type: EventType;
  readonly severity: EventSeverity;
  readonly subject: string;
  readonly text: string;
  /** Of this type, since the last one that was kept. */
  readonly suppressed: number;
}

/** What rooms that make events see of it. */
export interface EventSink {
  report(event: NewEvent): void;
}

export interface EventClock {
  nowMs(): number;
  nowWallMs(): number;
}

export interface EventLogOptions {
  readonly log: Log;
  readonly clock: EventClock;
  /** Default 4,096. */
  readonly capacity?: number;
}

const CAPACITY = 4096;
/** Of each type: so many at once, and one more in each gap. */
const BURST = 50;
const GAP_MS = 100;

/** Of one type. */
interface Rate {
  left: number;
  refilledMs: number;
  suppressed: number;
}

export class EventLog implements EventSink {
  /** Another one after each start: sequences begin anew with it. */
  readonly epoch = randomBytes(6).toString('base64url');
  readonly #options: EventLogOptions;
  readonly #capacity: number;
  /** By sequence modulo capacity. */
  readonly #ring: RouterEvent[] = [];
  readonly #rates = new Map<EventType, Rate>();
  readonly #listeners = new Set<() => void>();
  #sequence = 0;

  constructor(options: EventLogOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? CAPACITY;
  }

  /** Of the newest; 0: none yet. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Events up to this one are not kept any more. */
  get forgotten(): number {
    return Math.max(0, this.#sequence - this.#capacity);
  }

  report({ type, severity = 'info', subject = '', text, fields = {} }: NewEvent): void {
    const { log, clock } = this.#options;
    const rate = this.#rateOf(type, clock.nowMs());
    if (rate.left === 0) {
      rate.suppressed += 1;
      return;
    }
    rate.left -= 1;
    const { suppressed } = rate;
    rate.suppressed = 0;
    this.#sequence += 1;
    const event = { sequence: this.#sequence, atWallMs: clock.nowWallMs(), type, severity, subject, text, suppressed };
    this.#ring[this.#sequence % this.#capacity] = event;
    log[severity]({ event: type, ...fields, ...(suppressed > 0 ? { suppressed } : {}) }, text);
    for (const listener of this.#listeners) listener();
  }

  /** Oldest first, beginning after `sequence`, or with the oldest that is kept. */
  *after(sequence: number): Generator<RouterEvent> {
    for (let next = Math.max(sequence, this.forgotten) + 1; next <= this.#sequence; next++) {
      const event = this.#ring[next % this.#capacity];
      // While the caller looked elsewhere it may have been overwritten.
      if (event?.sequence === next) yield event;
    }
  }

  /** Called with each event, also in the middle of a turn: must not do more than remember it. Returns what ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #rateOf(type: EventType, nowMs: number): Rate {
    let rate = this.#rates.get(type);
    if (rate === undefined) this.#rates.set(type, (rate = { left: BURST, refilledMs: nowMs, suppressed: 0 }));
    const gaps = Math.floor((nowMs - rate.refilledMs) / GAP_MS);
    if (gaps > 0) {
      rate.left = Math.min(BURST, rate.left + gaps);
      rate.refilledMs += gaps * GAP_MS;
    }
    return rate;
  }
}
