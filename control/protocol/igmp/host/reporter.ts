/**
 * What a host of one version does with changes, queries and other hosts' reports. Types only. There is one reporter at a time; a change
 * of version makes a new one, and forgets the repetitions kept with the groups, which is how all pending responses and retransmissions
 * are cancelled (RFC 3376 §7.2.1).
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpMessage, IgmpQuery } from '../message';
import type { UnsettledGroup } from './unsettled-group';
import type { FilterView } from './wanted-filters';

/** What a reporter sees of the input being handled. Made anew for each; nobody keeps one. */
export interface Turn {
  readonly nowMs: number;
  readonly filters: FilterView;
  /** RFC 3376 §8.1: how often a change is reported. At least 1. */
  readonly robustness: number;
  /** RFC 3376 §8.11, RFC 2236 §8.10; undefined: the default of the reporter's version. */
  readonly unsolicitedReportIntervalMs: number | undefined;
  readonly recordedSourcesLimit: number;
  readonly mtu: number;
  readonly random: () => number;
  readonly send: (destination: Ipv4, message: IgmpMessage) => void;
}

export interface Reporter {
  readonly version: 1 | 2 | 3;
  heardQuery(query: IgmpQuery, turn: Turn): void;
  /** Another host reports the group in version 1 or 2. False: that is nothing to a host of this version. */
  heardReport(group: Ipv4, turn: Turn): boolean;
  /** Sends the changes and whatever else is due. Of the changes `announced` is still what it was before. */
  report(changes: readonly UnsettledGroup[], turn: Turn): void;
  nextDeadline(): number | undefined;
}
