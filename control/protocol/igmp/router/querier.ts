/**
 * Who asks on this link (RFC 3376 §6.6.2, §8): startup and periodic general queries while it is this router, the Other Querier Present
 * timer and the querier's adopted values while it is another. Never touches memberships.
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpQuery } from '../message';
import { isOnSubnet, isOwnAddress, isPermittedQuerier, sameAddresses, type LinkAddresses } from './admission';
import type { IgmpInterfaceSettings, IgmpTiming, QuerierSnapshot } from './api';
import { deriveIntervals, type IgmpIntervals, type QuerierAnnouncement } from './timers';

type Role =
  | { readonly kind: 'down' }
  /** Up, without an address to ask from, and nobody else asks either. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'querier'; readonly address: Ipv4; readonly nextQueryMs: number; readonly startupQueriesLeft: number }
  | {
      readonly kind: 'non-querier';
      readonly elected: Ipv4;
      /** When the elected one itself was heard last: a higher candidate takes its place only once it has fallen silent. */
      readonly electedHeardMs: number;
      readonly otherPresentUntilMs: number;
      readonly announced: QuerierAnnouncement;
      readonly intervals: IgmpIntervals;
    };

/** What a call did to the role, for the log. */
export type RoleChange = 'became-querier' | 'became-non-querier' | 'other-querier-changed' | undefined;

export class Querier {
  #settings: IgmpInterfaceSettings;
  #ownIntervals: IgmpIntervals;
  #addresses: LinkAddresses = [];
  #role: Role = { kind: 'down' };
  #firstAnswersUntilMs = Infinity;

  constructor(settings: IgmpInterfaceSettings) {
    this.#settings = settings;
    this.#ownIntervals = deriveIntervals(settings.timing);
  }

  get isUp(): boolean {
    return this.#role.kind !== 'down';
  }

  get isQuerier(): boolean {
    return this.#role.kind === 'querier';
  }

  /** Another router asks on this link, and is the one to forward to it (RFC 4605 §4.2). Not while nobody can. */
  get isDeposed(): boolean {
    return this.#role.kind === 'non-querier';
  }

  /** When the hosts have had the time to answer the first query since the link came up; Infinity before that query. */
  get firstAnswersUntilMs(): number {
    return this.#firstAnswersUntilMs;
  }

  get addresses(): LinkAddresses {
    return this.#addresses;
  }

  /** Where queries are sent from; undefined: none may be sent. A router that lost the election may still finish last-member queries. */
  get sendingAddress(): Ipv4 | undefined {
    return this.#addresses[0]?.address;
  }

  /** Own values while querier, the elected querier's while not (§4.1.6, §4.1.7). */
  get intervals(): IgmpIntervals {
    return this.#role.kind === 'non-querier' ? this.#role.intervals : this.#ownIntervals;
  }

  linkUp(addresses: LinkAddresses, nowMs: number): void {
    const before = this.#addresses;
    if (this.isUp && sameAddresses(before, addresses)) return;
    this.#addresses = addresses;
    // Another address to ask from is another candidate: others must hear of it at once. The same one goes on as it was.
    if (this.#role.kind === 'querier' && this.#role.address === this.sendingAddress) return;
    if (this.#role.kind === 'non-querier' && this.#defersTo(this.#role.elected)) return;
    this.#startUp(nowMs);
  }

  /** From now on these hold. The link is told at once what it has to know: the version, and the intervals that others adopt. */
  configure(settings: IgmpInterfaceSettings, nowMs: number): RoleChange {
    const before = this.#settings;
    this.#settings = settings;
    this.#ownIntervals = deriveIntervals(settings.timing);
    const role = this.#role;
    if (role.kind === 'querier' && (before.version !== settings.version || !sameTiming(before.timing, settings.timing))) {
      this.#startUp(nowMs);
    }
    if (role.kind !== 'non-querier') return undefined;
    this.#role = { ...role, intervals: deriveIntervals(settings.timing, role.announced) };
    if (isPermittedQuerier(role.elected, settings)) return undefined;
    this.#startUp(nowMs);
    return this.isQuerier ? 'became-querier' : undefined;
  }

  linkDown(): void {
    this.#addresses = [];
    this.#firstAnswersUntilMs = Infinity;
    this.#role = { kind: 'down' };
  }

  /** A general query from an admitted source. Only these count for the election (specific ones may be the last of an ex-querier). */
  heardGeneralQuery(source: Ipv4, query: IgmpQuery, nowMs: number): RoleChange {
    const role = this.#role;
    if (role.kind === 'down' || !this.#defersTo(source)) return undefined;
    const announced = { robustness: query.querierRobustness, queryIntervalMs: query.querierQueryIntervalMs };
    const intervals = deriveIntervals(this.#settings.timing, announced);
    const otherPresentUntilMs = nowMs + intervals.otherQuerierPresentIntervalMs;
    if (role.kind !== 'non-querier') {
      this.#role = { kind: 'non-querier', elected: source, electedHeardMs: nowMs, otherPresentUntilMs, announced, intervals };
      return 'became-non-querier';
    }
    const electedIsSilent = nowMs - role.electedHeardMs >= role.intervals.otherQuerierPresentIntervalMs;
    if (source > role.elected && !electedIsSilent) {
      // Not the elected one, yet lower than us: it keeps the timer running (§6.6.2) and will yield when it hears the elected one.
      this.#role = { ...role, otherPresentUntilMs: Math.max(role.otherPresentUntilMs, otherPresentUntilMs) };
      return undefined;
    }
    this.#role = { kind: 'non-querier', elected: source, electedHeardMs: nowMs, otherPresentUntilMs, announced, intervals };
    return source === role.elected ? undefined : 'other-querier-changed';
  }

  /** Gives up a querier that has fallen silent. */
  expire(nowMs: number): RoleChange {
    if (this.#role.kind !== 'non-querier' || this.#role.otherPresentUntilMs > nowMs) return undefined;
    const address = this.sendingAddress;
    // RFC 2236 §7: back from non-querier, a general query at once and then one each Query Interval; no startup train.
    this.#role =
      address === undefined ? { kind: 'silent' } : { kind: 'querier', address, nextQueryMs: nowMs, startupQueriesLeft: 0 };
    return address === undefined ? undefined : 'became-querier';
  }

  /** True when a general query is to be sent now; the next one is then scheduled. */
  takeDueQuery(nowMs: number): boolean {
    if (this.#role.kind !== 'querier' || this.#role.nextQueryMs > nowMs) return false;
    const { timing } = this.#settings;
    const startupQueriesLeft = Math.max(0, this.#role.startupQueriesLeft - 1);
    const gapMs = startupQueriesLeft > 0 ? timing.startupQueryIntervalMs : timing.queryIntervalMs;
    this.#role = { ...this.#role, nextQueryMs: nowMs + Math.max(1, gapMs), startupQueriesLeft };
    this.#firstAnswersUntilMs = Math.min(this.#firstAnswersUntilMs, nowMs + timing.queryResponseIntervalMs);
    return true;
  }

  nextDeadline(): number | undefined {
    if (this.#role.kind === 'querier') return this.#role.nextQueryMs;
    return this.#role.kind === 'non-querier' ? this.#role.otherPresentUntilMs : undefined;
  }

  snapshot(nowMs: number): QuerierSnapshot {
    const role = this.#role;
    if (role.kind === 'querier') return { isQuerier: true, address: role.address, otherQuerierPresentMs: undefined };
    if (role.kind !== 'non-querier') return { isQuerier: false, address: 0, otherQuerierPresentMs: undefined };
    return { isQuerier: false, address: role.elected, otherQuerierPresentMs: Math.max(0, role.otherPresentUntilMs - nowMs) };
  }

  /** All routers start up as querier (RFC 2236 §3), if they have an address to ask from. */
  #startUp(nowMs: number): void {
    const address = this.sendingAddress;
    const startupQueriesLeft = Math.max(1, this.#settings.timing.startupQueryCount);
    this.#role =
      address === undefined ? { kind: 'silent' } : { kind: 'querier', address, nextQueryMs: nowMs, startupQueriesLeft };
  }

  /** §6.6.2: the lower address asks. Without an address of our own anybody is. */
  #defersTo(other: Ipv4): boolean {
    const own = this.sendingAddress;
    if (isOwnAddress(this.#addresses, other) || !isOnSubnet(this.#addresses, other)) return false;
    return own === undefined || other < own;
  }
}

function sameTiming(one: IgmpTiming, other: IgmpTiming): boolean {
  const names = Object.keys(one) as (keyof IgmpTiming)[];
  return names.every((name) => one[name] === other[name]);
}
