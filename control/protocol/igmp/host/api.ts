/**
 * What goes into and comes out of the host side of IGMP on one upstream interface (RFC 3376 §5, §7.2; RFC 2236 §3; RFC 4605). Types only.
 * The machine is pure: `input(event, nowMs) → effects`, `nextDeadline()`. Times are integer ms of a monotonic clock that is handed in.
 */
import type { Ipv4, Ipv4Prefix } from '../../packet/address';
import type { IgmpDropReason, IgmpLogSubject, IgmpMessage, ReceivedIgmp } from '../message';

export interface IgmpHostSettings {
  /** Highest version of the reports; an older querier is followed down and, when its timer ends, up again. */
  readonly version: 1 | 2 | 3;
  /** RFC 3376 §8.1, until a querier announces one. */
  readonly robustness: number;
  /** RFC 3376 §8.11; undefined: 1 s in version 3, 10 s before (RFC 2236 §8.10). */
  readonly unsolicitedReportIntervalMs: number | undefined;
  /** RFC 3376 §8.12: how long an older querier is followed. */
  readonly olderVersionQuerierTimeoutMs: number;
  /** Bytes an IP packet may have on this link: splits reports. */
  readonly mtu: number;
  /** Sources remembered of group-and-source queries until the answer, per group; beyond, the whole group is answered (RFC 3376 §9.1). */
  readonly recordedSourcesLimit: number;
  /** 0 ≤ random() < 1, for the delays of answers and repetitions. */
  readonly random: () => number;
}

/** What this interface listens to of one group (RFC 3376 §3.2). include without sources: nothing. */
export interface HostFilter {
  readonly mode: 'include' | 'exclude';
  readonly sources: readonly Ipv4[];
}

export type IgmpHostEvent =
  /** What is wanted of the group is now this; undefined: nothing. Reports leave with the next 'timer', which is due at once. */
  | { readonly kind: 'wanted'; readonly group: Ipv4; readonly filter: HostFilter | undefined }
  | { readonly kind: 'received'; readonly packet: ReceivedIgmp }
  /** nextDeadline() has come. Early or late calls are harmless. */
  | { readonly kind: 'timer' }
  /** The link is up with these addresses (first = the address reports are sent from; none: 0.0.0.0). Also on a change of addresses. */
  | { readonly kind: 'link-up'; readonly addresses: readonly Ipv4Prefix[] }
  /** What is wanted stays, and is reported anew when the link returns. */
  | { readonly kind: 'link-down' }
  | { readonly kind: 'settings'; readonly settings: IgmpHostSettings };

export type IgmpHostEffect =
  /** Send this message to this IP address, TTL 1, with Router Alert, from `source`. */
  | { readonly kind: 'send'; readonly source: Ipv4; readonly destination: Ipv4; readonly message: IgmpMessage }
  /** wantedOf() has changed for this group; undefined: for any. */
  | { readonly kind: 'wanted'; readonly group: Ipv4 | undefined }
  | { readonly kind: 'count'; readonly reason: IgmpDropReason }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly about: IgmpLogSubject; readonly text: string };

/** For StateService, CLI and metrics. */
export interface IgmpHostSnapshot {
  /** Version of the reports now. */
  readonly version: 1 | 2 | 3;
  /** Who asked last; 0: nobody yet. */
  readonly querier: Ipv4;
  /** ms since it asked; undefined: nobody has. */
  readonly lastQueryMs: number | undefined;
  /** ms until reports go up to the configured version again; undefined: they are there. */
  readonly olderVersionMs: number | undefined;
  readonly groups: number;
}

export interface IgmpHostInterface {
  input(event: IgmpHostEvent, nowMs: number): readonly IgmpHostEffect[];
  nextDeadline(): number | undefined;
  snapshot(nowMs: number): IgmpHostSnapshot;
  /** What is listened to, as it is reported. */
  wanted(): Iterable<{ readonly group: Ipv4; readonly filter: HostFilter }>;
  /** The same of one group; undefined: nothing. */
  wantedOf(group: Ipv4): HostFilter | undefined;
}
