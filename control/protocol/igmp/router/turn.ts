/**
 * What every part of the machine sees of the input being handled: the time, the settings, the role of this router, and where effects go.
 * One for each machine, begun anew with each input, so that a report costs no objects of its own. Decides nothing.
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpDropReason, IgmpLogSubject } from '../message';
import type { IgmpEffect, IgmpInterfaceSettings } from './api';
import type { Querier } from './querier';
import type { IgmpIntervals } from './timers';

export type LogTopic =
  | 'querier-lost'
  | 'querier-won'
  | 'querier-version'
  | 'querier-denied'
  | 'group-limit'
  | 'source-limit'
  | 'host-limit'
  | 'total-limit'
  | 'tracking-limit'
  | `usage ${string}`;

/** RFC 3376 §7.3.1: warnings about other routers' versions "MUST be rate-limited"; no RFC gives the rate. */
const LOG_GAP_MS = 60_000;
const NO_EFFECTS: readonly IgmpEffect[] = [];

export class Turn {
  settings: IgmpInterfaceSettings;
  /** Time never goes back, whatever the caller passes: timers compare against it. */
  nowMs = 0;
  readonly #querier: Querier;
  readonly #quietUntilMs = new Map<LogTopic, number>();
  #effects: IgmpEffect[] | undefined;

  constructor(settings: IgmpInterfaceSettings, querier: Querier) {
    this.settings = settings;
    this.#querier = querier;
  }

  begin(nowMs: number): void {
    if (nowMs > this.nowMs) this.nowMs = nowMs;
    this.#effects = undefined;
  }

  end(): readonly IgmpEffect[] {
    return this.#effects ?? NO_EFFECTS;
  }

  get intervals(): IgmpIntervals {
    return this.#querier.intervals;
  }

  /** Only the querier starts the queries of the tables (RFC 3376 §6.4.2) and ends what it need not ask for. */
  get isQuerier(): boolean {
    return this.#querier.isQuerier;
  }

  /** undefined: no query can be sent. */
  get sendingAddress(): Ipv4 | undefined {
    return this.#querier.sendingAddress;
  }

  /** All hosts of the link have had the time to answer a first query: who has not spoken is not there. */
  get hostsHaveAnswered(): boolean {
    return this.nowMs >= this.#querier.firstAnswersUntilMs;
  }

  emit(effect: IgmpEffect): void {
    this.#effects ??= [];
    this.#effects.push(effect);
  }

  count(reason: IgmpDropReason): void {
    this.emit({ kind: 'count', reason });
  }

  /** At most once a minute for each topic: hosts decide how often these happen. False when it was not said. */
  logSparingly(topic: LogTopic, level: 'info' | 'warn', text: () => string): boolean {
    if ((this.#quietUntilMs.get(topic) ?? -Infinity) > this.nowMs) return false;
    this.#quietUntilMs.set(topic, this.nowMs + LOG_GAP_MS);
    this.emit({ kind: 'log', level, about: subjectOf(topic), text: text() });
    return true;
  }
}

function subjectOf(topic: LogTopic): IgmpLogSubject {
  if (topic === 'querier-lost' || topic === 'querier-won') return 'querier';
  return topic === 'querier-version' || topic === 'querier-denied' ? 'mismatch' : 'limit';
}
