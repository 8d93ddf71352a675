/**
 * What the routing side is told of a group (RFC 3376 §6.3): drawn from its state, and compared, so that it hears of real changes only.
 * Never changes state.
 */
import type { Ipv4 } from '../../packet/address';
import type { GroupDemand } from './api';
import { BLOCKED, isEmpty, type GroupState } from './group-state';

/** What §6.3 suggests to forward, sources in ascending order; undefined when nobody listens. */
export function demandOf(state: GroupState): GroupDemand | undefined {
  if (isEmpty(state)) return undefined;
  const running: Ipv4[] = [];
  const blocked: Ipv4[] = [];
  for (const [source, expiryMs] of state.sources) (expiryMs === BLOCKED ? blocked : running).push(source);
  running.sort(ascending);
  if (state.mode === 'include') return { mode: 'include', sources: running };
  return { mode: 'exclude', sources: blocked.sort(ascending), requested: running };
}

export function sameDemand(one: GroupDemand | undefined, other: GroupDemand | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  if (one.mode === 'exclude') {
    return other.mode === 'exclude' && sameSources(one.sources, other.sources) && sameSources(one.requested, other.requested);
  }
  return other.mode === 'include' && sameSources(one.sources, other.sources);
}

function sameSources(one: readonly Ipv4[], other: readonly Ipv4[]): boolean {
  return one.length === other.length && one.every((source, index) => source === other[index]);
}

function ascending(one: Ipv4, other: Ipv4): number {
  return one - other;
}
