/**
 * Counts what the API refuses, and says so in the log: the first of a reason at once, then at most once a minute, so that an attacker
 * writes no log.
 */
import type { Log } from '../log';

import type { ApiCounters, RefusalReason } from './api-counters';

const QUIET_MS = 60_000;

export class Refusals {
  readonly #counters: ApiCounters;
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #said = new Map<RefusalReason, { atMs: number; since: number }>();

  /** `nowMs`: monotonic. */
  constructor(counters: ApiCounters, log: Log, nowMs: () => number) {
    this.#counters = counters;
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** `who`: an address or the name of a certificate. */
  count(reason: RefusalReason, who: string, detail = ''): void {
    this.#counters.countRefusal(reason);
    const nowMs = this.#nowMs();
    const said = this.#said.get(reason);
    if (said !== undefined && nowMs - said.atMs < QUIET_MS) {
      said.since++;
      return;
    }
    this.#said.set(reason, { atMs: nowMs, since: 0 });
    const also = said === undefined || said.since === 0 ? {} : { unmentioned: said.since };
    this.#log.warn({ reason, client: printable(who), ...(detail === '' ? {} : { detail: printable(detail) }), ...also }, 'API: refused');
  }
}

/** Whatever a client or its certificate calls itself. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
