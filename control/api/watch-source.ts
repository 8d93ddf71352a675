/**
 * What the Watch calls need beyond the lists of StateSource: the tables entry by entry, and journals of what has changed in them. All from
 * memory; no call here may block.
 */
import type { RouteKey } from '../mrib/route';
import type { Ipv4 } from '../protocol/packet/address';
import type { ChangeJournal } from './change-journal';
import type { FlowState, InterfaceState, MembershipState, NeighborState, ReportState, RouteState } from './state-source';
import type { WatchUsage } from './watch-usage';

export interface MembershipKey {
  readonly interface: string;
  readonly group: Ipv4;
}

export type ReportKey = MembershipKey;

export interface NeighborKey {
  readonly interface: string;
  readonly address: Ipv4;
}

/** One table. */
export interface WatchTable<Key, State> {
  readonly journal: ChangeJournal<Key>;
  /** Of all entries; a walk that goes on while they change shows each one that stays. */
  keys(): Iterable<Key>;
  /** undefined: there is none any more. */
  read(key: Key): State | undefined;
}

export interface WatchSource {
  readonly watchUsage: WatchUsage;
  readonly interfaceTable: WatchTable<string, InterfaceState>;
  readonly membershipTable: WatchTable<MembershipKey, MembershipState>;
  readonly reportTable: WatchTable<ReportKey, ReportState>;
  readonly neighborTable: WatchTable<NeighborKey, NeighborState>;
  readonly routeTable: WatchTable<RouteKey, RouteState>;
  readonly flowTable: WatchTable<RouteKey, FlowState>;
}
