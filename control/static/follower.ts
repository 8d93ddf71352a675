/**
 * What the static entries need of the router: it is told what has changed, asks what is wanted now, and says how far it has come. Types
 * only.
 */
import type { StaticRouteSettings } from '../config/settings';
import type { Ipv4 } from '../protocol/packet/address';
import type { FlowPrefix } from '../protocol/packet/flow-table';

export interface MembershipPlace {
  /** By name. */
  readonly interface: string;
  readonly group: Ipv4;
}

/** What is wanted at the moment of the call. */
export interface StaticSource {
  route(flow: FlowPrefix): StaticRouteSettings | undefined;
  /** Entries may come and go while it is walked. */
  routes(): Iterable<StaticRouteSettings>;
  /** Sources of the membership, none for every source; undefined: it is not wanted. */
  sourcesOf(place: MembershipPlace): readonly Ipv4[] | undefined;
  groupsOf(interfaceName: string): Iterable<Ipv4>;
}

/** Of entries that have come, changed or gone. */
export interface ChangedPlaces {
  readonly flows: readonly FlowPrefix[];
  readonly memberships: readonly MembershipPlace[];
}

/** Empty: it takes effect as it is. */
export type Hindrance = string;

export interface StaticFollower {
  /** From now on this is asked, beside the configuration. */
  follow(source: StaticSource): void;
  /** Returns at once; the router follows piece by piece. */
  changed(places: ChangedPlaces): void;
  /** Resolves when everything that was changed is on its way to the data plane. Never rejects. */
  known(): Promise<void>;
  /** Resolves when the data plane has what was changed for these flows before the call, or has refused it. Never rejects. */
  programmed(flows: readonly FlowPrefix[]): Promise<void>;
  routeHindrance(flow: FlowPrefix): Hindrance;
  membershipHindrance(interfaceName: string): Hindrance;
}

export const NOTHING_WANTED: StaticSource = { route: () => undefined, routes: () => [], sourcesOf: () => undefined, groupsOf: () => [] };
