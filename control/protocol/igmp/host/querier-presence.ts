/**
 * Who asks on this link, and what follows for the version of our reports (RFC 3376 §7.2.1): the Older Version Querier Present timers,
 * the robustness the querier announced. Never sends and never sees groups.
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpQuery } from '../message';
import type { IgmpHostSettings } from './api';

type Version = 1 | 2 | 3;

export class QuerierPresence {
  #v1PresentUntilMs = -Infinity;
  #v2PresentUntilMs = -Infinity;
  #announcedRobustness = 0;
  #querier: Ipv4 = 0;
  #lastQueryAtMs: number | undefined;

  get querier(): Ipv4 {
    return this.#querier;
  }

  get lastQueryAtMs(): number | undefined {
    return this.#lastQueryAtMs;
  }

  /** Another link: nobody has asked there yet. */
  reset(): void {
    this.#v1PresentUntilMs = -Infinity;
    this.#v2PresentUntilMs = -Infinity;
    this.#announcedRobustness = 0;
    this.#querier = 0;
    this.#lastQueryAtMs = undefined;
  }

  heardQuery(source: Ipv4, query: IgmpQuery, nowMs: number, settings: IgmpHostSettings): void {
    this.#querier = source;
    this.#lastQueryAtMs = nowMs;
    // DEVIATION(RFC3376 8.12): the timeout is the configured one, not made of "the Query Interval in the last Query received": queries of
    // the versions it is about do not tell their interval.
    const presentUntilMs = nowMs + settings.olderVersionQuerierTimeoutMs;
    if (query.version === 1) this.#v1PresentUntilMs = presentUntilMs;
    // "whenever an IGMPv2 General Query is received": a specific one may come from a version 3 router that has heard older hosts.
    else if (query.version === 2 && query.group === 0) this.#v2PresentUntilMs = presentUntilMs;
    // §4.1.6: of the most recent query. An older one says nothing of it.
    else if (query.version === 3) this.#announcedRobustness = query.querierRobustness;
  }

  /** Host Compatibility Mode, below the configured version. */
  version(ceiling: Version, nowMs: number): Version {
    if (ceiling === 1 || this.#v1PresentUntilMs > nowMs) return 1;
    return ceiling === 2 || this.#v2PresentUntilMs > nowMs ? 2 : 3;
  }

  /** §4.1.6: "If the most recently received QRV value was zero, the receivers use the default [or] statically configured" one. */
  robustness(configured: number): number {
    return Math.max(1, this.#announcedRobustness || configured);
  }

  /** When the version may go up again; undefined: it cannot. */
  nextDeadline(ceiling: Version, nowMs: number): number | undefined {
    if (ceiling === 1) return undefined;
    if (this.#v1PresentUntilMs > nowMs) return this.#v1PresentUntilMs;
    return ceiling === 3 && this.#v2PresentUntilMs > nowMs ? this.#v2PresentUntilMs : undefined;
  }

  /** ms until the configured version is reached, if nobody older asks again; undefined: it is. */
  olderVersionMs(ceiling: Version, nowMs: number): number | undefined {
    if (this.version(ceiling, nowMs) === ceiling) return undefined;
    const lastMs = ceiling === 2 ? this.#v1PresentUntilMs : Math.max(this.#v1PresentUntilMs, this.#v2PresentUntilMs);
    return lastMs - nowMs;
  }
}
