/**
 * What goes into and comes out of the router side of IGMP on one interface (RFC 3376 §6, §7). Types only.
 * The machine is pure: `input(event, nowMs) → effects`, `nextDeadline()`. Times are integer ms of a monotonic clock that is handed in.
 */
import type { Ipv4, Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, IgmpMessage, ReceivedIgmp } from '../message';

/** RFC 3376 §8 values. Everything that has a formula there is derived, not configured. */
export interface IgmpTiming {
  readonly robustness: number;
  readonly queryIntervalMs: number;
  readonly queryResponseIntervalMs: number;
  readonly lastMemberQueryIntervalMs: number;
  readonly lastMemberQueryCount: number;
  readonly startupQueryIntervalMs: number;
  readonly startupQueryCount: number;
}

export interface IgmpInterfaceSettings {
  /** Version of the queries sent (RFC 3376 §7.3.1 for 1 and 2). */
  readonly version: 1 | 2 | 3;
  readonly timing: IgmpTiming;
  readonly limits: { readonly groups: number; readonly sourcesPerGroup: number };
  /** Reports from outside the interface's subnets are dropped unless true. 0.0.0.0 is always accepted (RFC 3376 §4.2.13). */
  readonly acceptOffSubnet: boolean;
  readonly requireRouterAlert: boolean;
  /** Bytes an IP packet may have on this link: splits source lists of queries. */
  readonly mtu: number;
  readonly ssmRange: Ipv4Prefix;
}

export type IgmpEvent =
  | { readonly kind: 'received'; readonly packet: ReceivedIgmp }
  /** nextDeadline() has come. Early or late calls are harmless. */
  | { readonly kind: 'timer' }
  /** The link is up with these addresses (first = the address queries are sent from). Also on a change of addresses. */
  | { readonly kind: 'link-up'; readonly addresses: readonly (Ipv4Prefix)[] }
  | { readonly kind: 'link-down' };

/** `Ipv4Prefix` in 'link-up' holds the interface's own address with its prefix length (host bits set): 10.1.0.1/24. */

export type IgmpEffect =
  /** Send this message to this IP address, TTL 1, with Router Alert, from `source`. */
  | { readonly kind: 'send'; readonly source: Ipv4; readonly destination: Ipv4; readonly message: IgmpMessage }
  /** What should be forwarded for the group has changed; undefined: nobody listens any more. */
  | { readonly kind: 'membership'; readonly group: Ipv4; readonly wanted: GroupDemand | undefined }
  | { readonly kind: 'count'; readonly reason: IgmpDropReason }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly text: string };

/**
 * What one interface wants of a group (RFC 3376 §6.3). include: only `sources`. exclude: everything but `sources`
 * (those with timer 0); `requested` are the sources with a running timer, which are known by name.
 */
export type GroupDemand =
  | { readonly mode: 'include'; readonly sources: readonly Ipv4[] }
  | { readonly mode: 'exclude'; readonly sources: readonly Ipv4[]; readonly requested: readonly Ipv4[] };

/** For StateService, CLI and metrics. */
export interface MembershipSnapshot {
  readonly group: Ipv4;
  readonly mode: 'include' | 'exclude';
  readonly compatibilityVersion: 1 | 2 | 3;
  /** ms left of the group timer; undefined in INCLUDE mode. */
  readonly groupTimerMs: number | undefined;
  readonly sources: readonly { readonly source: Ipv4; readonly forwarded: boolean; readonly timerMs: number }[];
  readonly lastReporter: Ipv4;
  /** ms since the group appeared here. */
  readonly ageMs: number;
}

export interface QuerierSnapshot {
  readonly isQuerier: boolean;
  /** Own address when it is us; 0 when the link is down. */
  readonly address: Ipv4;
  /** ms until the other querier is given up; undefined when it is us. */
  readonly otherQuerierPresentMs: number | undefined;
}

export interface IgmpRouterInterface {
  input(event: IgmpEvent, nowMs: number): readonly IgmpEffect[];
  nextDeadline(): number | undefined;
  memberships(nowMs: number): readonly MembershipSnapshot[];
  readonly membershipCount: number;
  querier(nowMs: number): QuerierSnapshot;
}
