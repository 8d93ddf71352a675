/**
 * What an operator decides by hand: StaticGroup and StaticRoute messages → settings.
 */
import type { xmcast } from '#proto';
import type { StaticGroup } from '../protocol/igmp/router/api';
import type { StaticRouteSettings } from './settings';
import { validAddress, validAddresses, validPrefix } from './validated';

export function staticGroups(groups: readonly xmcast.v1.StaticGroup.$Properties[]): StaticGroup[] {
  return groups.map(({ group, sources }) => ({ group: validAddress(group ?? ''), sources: validAddresses(sources) }));
}

export function staticRoutes(routes: readonly xmcast.v1.StaticRoute.$Properties[]): StaticRouteSettings[] {
  return routes.map(({ group, source, upstream, downstreams, ttlThreshold }) => ({
    group: validPrefix(group ?? ''),
    source: source ? validPrefix(source) : undefined,
    upstream: upstream ?? '',
    downstreams: [...(downstreams ?? [])],
    ttlThreshold: ttlThreshold ?? 0,
  }));
}
