/**
 * The membership database of a proxy (RFC 4605 §4.1): what all downstream interfaces together want of one group, merged as a host
 * merges its sockets (RFC 3376 §3.2). A pure function of the demands, whatever their order.
 */
import type { Ipv4 } from '../../packet/address';
import type { GroupDemand } from '../router/api';
import type { HostFilter } from './api';
import { ascending } from './filter';

/**
 * undefined: nobody wants anything. `requested` of an EXCLUDE demand are the sources with a running timer, which §4.1 removes: they
 * are wanted, as is everything else that is not excluded.
 */
export function mergeFilters(demands: Iterable<GroupDemand>): HostFilter | undefined {
  const included = new Set<Ipv4>();
  let excluded: Set<Ipv4> | undefined;
  for (const { mode, sources } of demands) {
    if (mode === 'include') for (const source of sources) included.add(source);
    else excluded = excluded === undefined ? new Set(sources) : intersection(excluded, sources);
  }
  if (excluded !== undefined) return { mode: 'exclude', sources: ascending(excluded).filter((source) => !included.has(source)) };
  return included.size === 0 ? undefined : { mode: 'include', sources: ascending(included) };
}

function intersection(one: ReadonlySet<Ipv4>, other: readonly Ipv4[]): Set<Ipv4> {
  return new Set(other.filter((source) => one.has(source)));
}
