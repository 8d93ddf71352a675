/**
 * The trains of Q(G) and Q(G,X) of one group: what is asked, how often still, and when next (RFC 3376 §6.6.3). Lowers the timers the
 * RFC lowers with a query. Never sends and never decides whether this router may ask.
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpQuery } from '../message';
import type { IgmpInterfaceSettings } from './api';
import { lowerGroupTimer, lowerSourceTimers, type GroupState } from './group-state';
import { specificQuery, splitByMtu } from './query-messages';
import type { IgmpIntervals } from './timers';

interface Transmission {
  readonly nowMs: number;
  readonly group: Ipv4;
  readonly settings: IgmpInterfaceSettings;
  readonly intervals: IgmpIntervals;
}

export class LastMemberQueries {
  #groupQueriesLeft = 0;
  #nextGroupQueryMs = Infinity;
  /** Transmissions left of each source with retransmission state; never 0. */
  readonly #sourceQueriesLeft = new Map<Ipv4, number>();
  #nextSourceQueryMs = Infinity;

  /** "Send Q(G)" of the tables. A group already on its way out is not asked for again: a repeated leave neither restarts nor extends. */
  askForGroup(state: GroupState, nowMs: number, intervals: IgmpIntervals): void {
    const lowered = nowMs + intervals.lastMemberQueryTimeMs;
    if (state.groupExpiryMs <= lowered) return;
    lowerGroupTimer(state, lowered);
    this.#groupQueriesLeft = intervals.lastMemberQueryCount;
    this.#nextGroupQueryMs = nowMs;
  }

  /** "Send Q(G,X)": only sources "with source timer larger than LMQT" (§6.6.3.2), so a repeated BLOCK changes nothing. */
  askForSources(state: GroupState, sources: readonly Ipv4[], nowMs: number, intervals: IgmpIntervals): void {
    const lowered = nowMs + intervals.lastMemberQueryTimeMs;
    for (const source of sources) {
      const expiryMs = state.sources.get(source);
      if (expiryMs === undefined || expiryMs <= lowered) continue;
      this.#sourceQueriesLeft.set(source, intervals.lastMemberQueryCount);
      this.#nextSourceQueryMs = nowMs;
    }
    lowerSourceTimers(state, sources, lowered);
  }

  /** undefined: nothing left to send. */
  nextDeadline(): number | undefined {
    const next = Math.min(this.#nextGroupQueryMs, this.#nextSourceQueryMs);
    return next === Infinity ? undefined : next;
  }

  /** The queries due now; the next ones follow one Last Member Query Interval later. */
  due(state: GroupState, transmission: Transmission): IgmpQuery[] {
    const groupQuery = this.#nextGroupQueryMs <= transmission.nowMs ? this.#groupQuery(state, transmission) : undefined;
    const queries = groupQuery === undefined ? [] : [groupQuery];
    if (this.#nextSourceQueryMs > transmission.nowMs) return queries;
    return [...queries, ...this.#sourceQueries(state, transmission, groupQuery !== undefined)];
  }

  #groupQuery(state: GroupState, { nowMs, group, settings, intervals }: Transmission): IgmpQuery | undefined {
    const refreshed = state.groupExpiryMs > nowMs + intervals.lastMemberQueryTimeMs;
    // RFC 2236 §7: a v2 report ends the queries. Without an S flag another would lower the group's timer in every other router.
    const answered = refreshed && settings.version < 3;
    if (state.mode === 'include' || answered) {
      this.#groupQueriesLeft = 0;
      this.#nextGroupQueryMs = Infinity;
      return undefined;
    }
    this.#groupQueriesLeft -= 1;
    this.#nextGroupQueryMs = this.#groupQueriesLeft > 0 ? nowMs + intervals.lastMemberQueryIntervalMs : Infinity;
    return specificQuery(settings, group, { suppress: refreshed, sources: [] });
  }

  /** §6.6.3.2: one query with S set for sources that were refreshed meanwhile, one with S clear for those still in doubt. */
  #sourceQueries(state: GroupState, { nowMs, group, settings, intervals }: Transmission, withGroupQuery: boolean): IgmpQuery[] {
    const refreshed: Ipv4[] = [];
    const inDoubt: Ipv4[] = [];
    for (const [source, left] of this.#sourceQueriesLeft) {
      if (left > 1) this.#sourceQueriesLeft.set(source, left - 1);
      else this.#sourceQueriesLeft.delete(source);
      const expiryMs = state.sources.get(source);
      // Forgotten by a later record, or expired: there is nothing to ask any more.
      if (expiryMs === undefined || expiryMs <= nowMs) continue;
      (expiryMs > nowMs + intervals.lastMemberQueryTimeMs ? refreshed : inDoubt).push(source);
    }
    this.#nextSourceQueryMs = this.#sourceQueriesLeft.size > 0 ? nowMs + intervals.lastMemberQueryIntervalMs : Infinity;
    // §7.3.1: version 2 has no way to name them. Its hosts answer for the group, which is all that hosts by SSM mapping can do anyway.
    if (settings.version < 3) {
      const asksGroup = inDoubt.length > 0 && !withGroupQuery;
      return asksGroup ? [specificQuery(settings, group, { suppress: false, sources: [] })] : [];
    }
    const ask = (sources: readonly Ipv4[], suppress: boolean): IgmpQuery[] =>
      splitByMtu(sources, settings.mtu).map((list) => specificQuery(settings, group, { suppress, sources: list }));
    // §6.6.3.2, note: next to a Q(G) the message with S set is redundant.
    return [...(withGroupQuery ? [] : ask(refreshed, true)), ...ask(inDoubt, false)];
  }
}
