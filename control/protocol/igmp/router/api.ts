/**
 * What goes into and comes out of the router side of IGMP on one interface (RFC 3376 §6, §7). Types only.
 * The machine is pure: `input(event, nowMs) → effects`, `nextDeadline()`. Times are integer ms of a monotonic clock that is handed in.
 */
import type { Ipv4, Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, IgmpLogSubject, IgmpMessage, ReceivedIgmp } from '../message';

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

/**
 * off: RFC 3376 §6.4.2, the others are asked. tracked: without asking when no other host is known to want it.
 * always: without asking.
 */
export type QuickLeave = 'off' | 'tracked' | 'always';

/** What is reached is refused; what is there stays. */
export interface IgmpLimits {
  readonly groups: number;
  readonly sourcesPerGroup: number;
  readonly groupsPerHost: number;
  /** Hosts remembered, each counted for each of its groups. Beyond, a group is known not to know all of its hosts. */
  readonly trackedHosts: number;
  /** Groups in these count towards no limit of groups. */
  readonly exceptions: readonly Ipv4Prefix[];
  /** Groups of all interfaces together. Shared by their machines. */
  readonly total: MembershipBudget;
}

/** A number that the machines of all interfaces count up and down together. */
export interface MembershipBudget {
  limit: number;
  used: number;
}

/** The first that matches decides; what none matches is denied, unless there is none at all. */
export interface AccessRule {
  readonly permit: boolean;
  readonly group: Ipv4Prefix;
  /** Matches only joins of named sources, each by itself; undefined matches every join. */
  readonly source: Ipv4Prefix | undefined;
  readonly reporter: Ipv4Prefix;
}

/** A membership that is there without hosts. */
export interface StaticGroup {
  readonly group: Ipv4;
  /** Empty: every source. */
  readonly sources: readonly Ipv4[];
}

/** `sources` undefined: not static any more; empty: every source. */
export interface StaticGroupChange {
  readonly group: Ipv4;
  readonly sources: readonly Ipv4[] | undefined;
}

export interface SsmMapping {
  /** Also for IS_EX/TO_EX of IGMPv3 hosts. */
  readonly anySourceV3: boolean;
  /** undefined: this group has no sources. 'pending': a 'sources-mapped' event will tell. Cheap, without side effects for its caller. */
  sourcesOf(group: Ipv4): readonly Ipv4[] | 'pending' | undefined;
}

export interface IgmpInterfaceSettings {
  /** Version of the queries sent (RFC 3376 §7.3.1 for 1 and 2). */
  readonly version: 1 | 2 | 3;
  readonly timing: IgmpTiming;
  readonly limits: IgmpLimits;
  /** Reports from outside the interface's subnets are dropped unless true. 0.0.0.0 is always accepted (RFC 3376 §4.2.13). */
  readonly acceptOffSubnet: boolean;
  /** Subnets on this link besides those of the interface's addresses: for reports, not for queries. */
  readonly alternativeSubnets: readonly Ipv4Prefix[];
  /** Who may be querier; empty: any router of the link. */
  readonly queriers: readonly Ipv4Prefix[];
  readonly ignoreV1: boolean;
  readonly ignoreV2: boolean;
  readonly quickLeave: QuickLeave;
  readonly access: readonly AccessRule[];
  readonly staticGroups: readonly StaticGroup[];
  /** Names sources for joins without sources in the source-specific range; undefined: such joins are ignored. */
  readonly ssmMapping: SsmMapping | undefined;
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
  | { readonly kind: 'link-down' }
  /** From now on these settings hold. What they do not forbid stays as it is. */
  | { readonly kind: 'settings'; readonly settings: IgmpInterfaceSettings }
  /**
   * A router before this one, on the same link, had this membership. It holds until then, unless hosts speak of it, which have the last
   * word by the ordinary rules. EXCLUDE: every source but these.
   */
  | { readonly kind: 'restored'; readonly group: Ipv4; readonly mode: 'include' | 'exclude'; readonly sources: readonly Ipv4[]; readonly untilMs: number }
  /** Groups that are static beside those of the settings, which come first. Forgotten when the link goes down. */
  | { readonly kind: 'static-groups'; readonly changes: readonly StaticGroupChange[] }
  /** ssmMapping has an answer for this group that it did not have, or another one. */
  | { readonly kind: 'sources-mapped'; readonly group: Ipv4 };

/** `Ipv4Prefix` in 'link-up' holds the interface's own address with its prefix length (host bits set): 10.1.0.1/24. */

export type Restored = Extract<IgmpEvent, { readonly kind: 'restored' }>;

export type IgmpEffect =
  /** Send this message to this IP address, TTL 1, with Router Alert, from `source`. */
  | { readonly kind: 'send'; readonly source: Ipv4; readonly destination: Ipv4; readonly message: IgmpMessage }
  /** What should be forwarded for the group has changed; undefined: nobody listens any more. */
  | { readonly kind: 'membership'; readonly group: Ipv4; readonly wanted: GroupDemand | undefined }
  /** Whether this router is the querier has changed. Not on link-down. */
  | { readonly kind: 'querier'; readonly isQuerier: boolean }
  | { readonly kind: 'count'; readonly reason: IgmpDropReason }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly about: IgmpLogSubject; readonly text: string };

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
  /** 0: only static so far. */
  readonly lastReporter: Ipv4;
  /** ms since the group appeared here. */
  readonly ageMs: number;
  /** There by configuration, whether or not hosts want it too. */
  readonly isStatic: boolean;
  readonly hosts: readonly TrackedHost[];
  /** `hosts` is all there are: none was left out by the limit, or hidden behind 0.0.0.0 or the report suppression of older versions. */
  readonly allHostsKnown: boolean;
}

/** What one host last said it wants of a group. */
export interface TrackedHost {
  readonly address: Ipv4;
  readonly version: 1 | 2 | 3;
  readonly mode: 'include' | 'exclude';
  readonly sources: readonly Ipv4[];
  /** ms since its first and its last report of the group. */
  readonly ageMs: number;
  readonly lastReportMs: number;
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
  /** Of one group; undefined: nobody wants it. */
  membership(group: Ipv4, nowMs: number): MembershipSnapshot | undefined;
  /** May be walked while they change. */
  groups(): Iterable<Ipv4>;
  readonly membershipCount: number;
  /** Memberships that were restored, and that no host has claimed so far. */
  readonly unclaimedCount: number;
  querier(nowMs: number): QuerierSnapshot;
}
