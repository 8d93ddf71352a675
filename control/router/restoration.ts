/**
 * What the routes of a controller before this one stand for: the memberships and the streams without which they would not be there. Fed to
 * the pure rooms they bring about the same routes again, which from then on follow the ordinary rules. Pure.
 *
 *     (*,G) to P                        P wants every source of G but those whose (S,G) leaves P out
 *     (S,G) to P, and no (*,G) to P     P wants S
 *     (S,G) by an upstream beside a (*,G), to nobody, to an upstream, or by one of several upstreams     S was seen sending
 */
import { isRange, nameOf, type RouteChange, type VportId, type WantedRoute } from '../mrib/route';
import type { Ipv4 } from '../protocol/packet/address';
import { keyOf } from './route-queue';

export interface RestoredMembership {
  readonly vport: VportId;
  readonly group: Ipv4;
  readonly mode: 'include' | 'exclude';
  /** EXCLUDE: every source but these. */
  readonly sources: readonly Ipv4[];
}

export interface RestoredStream {
  readonly source: Ipv4;
  readonly group: Ipv4;
  readonly incoming: VportId;
}

export interface Restoration {
  readonly memberships: readonly RestoredMembership[];
  readonly streams: readonly RestoredStream[];
}

export interface Network {
  readonly isDownstream: (vport: VportId) => boolean;
  /** Routes that follow from the configuration alone. */
  readonly isStatic: (route: WantedRoute) => boolean;
  /** The way in does not follow from the source alone. */
  readonly hasSeveralWays: (source: Ipv4, group: Ipv4) => boolean;
}

interface GroupRoutes {
  star: WantedRoute | undefined;
  readonly bySource: WantedRoute[];
}

export function restorationOf(routes: readonly WantedRoute[], network: Network): Restoration {
  const memberships: RestoredMembership[] = [];
  const streams: RestoredStream[] = [];
  for (const [group, found] of byGroup(routes, network)) {
    memberships.push(...membershipsOf(group, found, network));
    for (const { source, incoming } of found.bySource.filter((route) => wasSeen(route, found, network))) {
      if (incoming !== undefined) streams.push({ source, group, incoming });
    }
  }
  return { memberships, streams };
}

function byGroup(routes: readonly WantedRoute[], { isStatic }: Network): ReadonlyMap<Ipv4, GroupRoutes> {
  const groups = new Map<Ipv4, GroupRoutes>();
  for (const route of routes) {
    if (isRange(route) || isStatic(route)) continue;
    let found = groups.get(route.group);
    if (found === undefined) {
      found = { star: undefined, bySource: [] };
      groups.set(route.group, found);
    }
    if (route.source === 0) found.star = route;
    else found.bySource.push(route);
  }
  return groups;
}

function membershipsOf(group: Ipv4, routes: GroupRoutes, network: Network): readonly RestoredMembership[] {
  const { star, bySource } = routes;
  const { isDownstream } = network;
  // Where a source is it is not sent to; but one that does not send has a route only because somebody named it.
  const isExcluded = (route: WantedRoute, vport: VportId): boolean => (route.incoming === vport ? !wasSeen(route, routes, network) : !route.outgoing.includes(vport));
  const everySource = (star?.outgoing ?? []).filter(isDownstream);
  const found: RestoredMembership[] = everySource.map((vport) => ({
    vport,
    group,
    mode: 'exclude',
    sources: bySource.filter((route) => isExcluded(route, vport)).map(({ source }) => source),
  }));
  const named = new Map<VportId, Ipv4[]>();
  for (const { source, outgoing } of bySource) {
    for (const vport of outgoing) {
      if (!isDownstream(vport) || everySource.includes(vport)) continue;
      const sources = named.get(vport);
      if (sources === undefined) named.set(vport, [source]);
      else sources.push(source);
    }
  }
  for (const [vport, sources] of named) found.push({ vport, group, mode: 'include', sources });
  return found;
}

function wasSeen({ source, group, incoming, outgoing }: WantedRoute, { star }: GroupRoutes, { isDownstream, hasSeveralWays }: Network): boolean {
  // What a source of a downstream network sends goes upstream: it was only named if it does not.
  if (incoming !== undefined && isDownstream(incoming) && star !== undefined) return outgoing.some((vport) => !isDownstream(vport));
  if (star !== undefined || outgoing.length === 0) return true;
  return outgoing.some((vport) => !isDownstream(vport)) || hasSeveralWays(source, group);
}

/** Of several changes of one route the last: what came in between was never meant to be written. */
export function latestOf(changes: readonly RouteChange[]): Iterable<RouteChange> {
  const latest = new Map<string, RouteChange>();
  for (const change of changes) {
    const name = nameOf(keyOf(change));
    latest.delete(name);
    latest.set(name, change);
  }
  return latest.values();
}
