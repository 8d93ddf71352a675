/**
 * What the routing side is told of a group (RFC 3376 §6.3): drawn from its state, and compared, so that it hears of real changes only.
 * Never changes state.
 */
import type { Ipv4 } from '../../packet/address';
import type { GroupDemand } from './api';
import { BLOCKED, isEmpty, type GroupState } from './group-state';

/** One for all groups without sources, which most are. */
const EVERY_SOURCE: GroupDemand = { mode: 'exclude', sources: [], requested: [] };

/**
 * What §6.3 suggests to forward, sources in ascending order; undefined when nobody listens. A static membership counts as a host that
 * never leaves: one for every source as EXCLUDE({}), one for some as INCLUDE of these.
 */
export function demandOf(state: GroupState, fixed: readonly Ipv4[] | undefined): GroupDemand | undefined {
  if (fixed !== undefined) return demandWithStatic(state, fixed);
  if (isEmpty(state)) return undefined;
  if (state.mode === 'exclude' && state.sources.size === 0) return EVERY_SOURCE;
  const running: Ipv4[] = [];
  const blocked: Ipv4[] = [];
  for (const [source, expiryMs] of state.sources) (expiryMs === BLOCKED ? blocked : running).push(source);
  running.sort(ascending);
  if (state.mode === 'include') return { mode: 'include', sources: running };
  return { mode: 'exclude', sources: blocked.sort(ascending), requested: running };
}

function demandWithStatic(state: GroupState, fixed: readonly Ipv4[]): GroupDemand {
  const running = new Set(fixed);
  for (const [source, expiryMs] of state.sources) if (expiryMs !== BLOCKED) running.add(source);
  const requested = [...running].sort(ascending);
  if (fixed.length === 0) return { mode: 'exclude', sources: [], requested };
  if (state.mode === 'include') return { mode: 'include', sources: requested };
  const blocked = [...state.sources.keys()].filter((source) => !running.has(source));
  return { mode: 'exclude', sources: blocked.sort(ascending), requested };
}

export function sameDemand(one: GroupDemand | undefined, other: GroupDemand | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
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
