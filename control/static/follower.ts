/**
 * What the static entries need of the router: it is told what has changed and says how far it has come. Types only.
 */
import type { StaticRouteSettings } from '../config/settings';
import type { StaticGroupChange } from '../protocol/igmp/router/api';
import type { FlowPrefix } from '../protocol/packet/flow-table';

/** A route, or the flow of one that is not wanted any more. */
export interface StaticRouteChange {
  readonly flow: FlowPrefix;
  readonly route: StaticRouteSettings | undefined;
}

export interface StaticMembershipChange extends StaticGroupChange {
  /** By name. */
  readonly interface: string;
}

export interface StaticChanges {
  readonly routes: readonly StaticRouteChange[];
  readonly memberships: readonly StaticMembershipChange[];
}

/** Empty: it takes effect as it is. */
export type Hindrance = string;

export interface StaticFollower {
  /** Returns at once; the router follows piece by piece. */
  change(changes: StaticChanges): void;
  /** Resolves when the data plane has what was changed for these flows before the call, or has refused it. Never rejects. */
  programmed(flows: readonly FlowPrefix[]): Promise<void>;
  routeHindrance(flow: FlowPrefix): Hindrance;
  membershipHindrance(interfaceName: string): Hindrance;
}
