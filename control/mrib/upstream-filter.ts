/**
 * What should be asked for at one upstream: the merged wishes of all downstream interfaces (RFC 4605 §4.1), as far as that upstream
 * serves them.
 */
import type { HostFilter } from '../protocol/igmp/host/api';
import { mergeFilters } from '../protocol/igmp/host/merge';
import type { Ipv4 } from '../protocol/packet/address';
import type { Demand } from './group-state';
import type { ReversePath } from './reverse-path';
import type { VportId } from './route';

/** undefined: nothing. */
export function upstreamFilter(
  upstream: VportId,
  group: Ipv4,
  demands: readonly Demand[],
  path: Pick<ReversePath, 'upstreams' | 'crosses'>,
): HostFilter | undefined {
  const wishes = demands.filter(({ vport }) => path.crosses(vport, group)).map(({ asked }) => asked);
  const merged = mergeFilters(wishes);
  if (merged === undefined) return undefined;
  if (merged.mode === 'exclude') return path.upstreams(group).includes(upstream) ? merged : undefined;
  const sources = merged.sources.filter((source) => path.upstreams(group, source).includes(upstream));
  return sources.length === 0 ? undefined : { mode: 'include', sources };
}
