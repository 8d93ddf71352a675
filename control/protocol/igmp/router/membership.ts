/**
 * All that is kept of one group on one interface, in one flat object: there may be a hundred thousand of them. Each part is owned by the
 * file that declares it; this one owns what ties them together, and lets time pass over them.
 */
import type { Ipv4 } from '../../packet/address';
import type { GroupDemand } from './api';
import type { OlderHosts } from './compatibility';
import type { Scheduled } from '../deadline-queue';
import { expire, isEmpty, NO_SOURCE_TIMERS, type GroupState } from './group-state';
import { becomeIncludeHosts, type HostMemory } from './hosts';
import type { LastMemberQueries } from './last-member-queries';
import type { Mapping } from './ssm-mapping';

export interface Membership extends Scheduled, GroupState, OlderHosts, HostMemory {
  readonly createdMs: number;
  /** 0: no host so far. */
  lastReporter: Ipv4;
  /** undefined: nothing to ask. */
  queries: LastMemberQueries | undefined;
  /** Sources of a static membership, none for every source; undefined: it is not static. */
  fixed: readonly Ipv4[] | undefined;
  /** What the hosts that named no source got by SSM mapping; undefined: there are none. */
  mapping: Mapping | undefined;
  /** Takes a place under the limits of groups. */
  isCounted: boolean;
  /** A router before this one had it, and no host has asked for it since. */
  isUnclaimed: boolean;
  /** Waits for the end of the turn. */
  isTouched: boolean;
  /** The state changed in a way that may change the demand since it was last published. */
  unpublished: boolean;
  published: GroupDemand | undefined;
}

export function newMembership(group: Ipv4, nowMs: number): Membership {
  return {
    group,
    createdMs: nowMs,
    lastReporter: 0,
    mode: 'include',
    groupExpiryMs: 0,
    sources: NO_SOURCE_TIMERS,
    v1PresentUntilMs: 0,
    v2PresentUntilMs: 0,
    firstHost: undefined,
    moreHosts: undefined,
    hiddenUntilMs: 0,
    excludeHosts: 0,
    nextSweepMs: 0,
    queries: undefined,
    fixed: undefined,
    mapping: undefined,
    isCounted: false,
    isUnclaimed: false,
    isTouched: false,
    unpublished: false,
    published: undefined,
    deadlineMs: undefined,
    queueIndex: -1,
  };
}

/** Nobody listens, and nothing holds it. */
export function isOver(membership: Membership): boolean {
  return membership.fixed === undefined && isEmpty(membership);
}

/** Lets timers run out that are due. */
export function pass(membership: Membership, nowMs: number): void {
  const before = membership.mode;
  if (expire(membership, nowMs)) membership.unpublished = true;
  if (before === 'exclude' && membership.mode === 'include') becomeIncludeHosts(membership, membership.sources);
}
