/**
 * What every part of the machine sees of the input being handled: the time, the role of this router, and where effects go.
 * Made anew for each input; nobody keeps one.
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpEffect } from './api';
import type { IgmpIntervals } from './timers';

export interface Turn {
  readonly nowMs: number;
  readonly intervals: IgmpIntervals;
  /** Only the querier starts the queries of the tables (RFC 3376 §6.4.2). */
  readonly isQuerier: boolean;
  /** undefined: no query can be sent. */
  readonly sendingAddress: Ipv4 | undefined;
  readonly emit: (effect: IgmpEffect) => void;
  /** Like emitting a log effect, but at most once a minute for each topic: hosts decide how often these happen. */
  readonly logSparingly: (topic: LogTopic, level: 'info' | 'warn', text: string) => void;
}

export type LogTopic = 'querier-lost' | 'querier-won' | 'querier-version' | 'group-limit' | 'source-limit';

/** RFC 3376 §7.3.1: warnings about other routers' versions "MUST be rate-limited"; no RFC gives the rate. */
const LOG_GAP_MS = 60_000;

export class LogLimiter {
  readonly #quietUntilMs = new Map<LogTopic, number>();

  /** True when the topic may be logged now; it then stays quiet for the gap. */
  take(topic: LogTopic, nowMs: number): boolean {
    if ((this.#quietUntilMs.get(topic) ?? -Infinity) > nowMs) return false;
    this.#quietUntilMs.set(topic, nowMs + LOG_GAP_MS);
    return true;
  }
}
