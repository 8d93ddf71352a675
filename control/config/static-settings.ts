/**
 * What an operator decides by hand: StaticGroup and StaticRoute messages → settings.
 */
import type { xmcast } from '#proto';
import type { StaticGroup } from '../protocol/igmp/router/api';
import type { FlowPrefix } from '../protocol/packet/flow-table';
import type { StaticRouteSettings } from './settings';
import { validAddress, validAddresses, validPrefix } from './validated';

export function staticGroups(groups: readonly xmcast.v1.StaticGroup.$Properties[]): StaticGroup[] {
  return groups.map(({ group, sources }) => ({ group: validAddress(group ?? ''), sources: validAddresses(sources) }));
}

export function staticRoutes(routes: readonly xmcast.v1.StaticRoute.$Properties[]): StaticRouteSettings[] {
  return routes.map((route) => {
    const { group, source } = staticFlow(route);
    const { upstream, downstreams, ttlThreshold } = route;
    return { group, source, upstream: upstream ?? '', downstreams: [...(downstreams ?? [])], ttlThreshold: ttlThreshold ?? 0 };
  });
}

export function staticFlow({ group, source }: xmcast.v1.StaticRouteKey.$Properties): FlowPrefix {
  const from = source ? validPrefix(source) : undefined;
  // 0.0.0.0/0 is every source: one flow has one spelling.
  return { group: validPrefix(group ?? ''), source: from?.length === 0 ? undefined : from };
}
