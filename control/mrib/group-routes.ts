/**
 * The routes that one group should have, from what is wanted of it and what is known of its sources. Pure functions; keeps nothing.
 */
import type { Ipv4 } from '../protocol/packet/address';
import { knownSources, wants, wishesOf, type Demand, type GroupState } from './group-state';
import type { ReversePath } from './reverse-path';
import { isWanted, type VportId, type WantedRoute } from './route';
import { keyOfRule, type StaticRule, type StaticRules } from './static-rules';

export interface GroupRoutes {
  readonly star: WantedRoute | undefined;
  /** undefined: none. */
  readonly bySource: Map<Ipv4, WantedRoute> | undefined;
  /** Sources seen sending that need not be remembered. */
  readonly useless: readonly Ipv4[];
}

export function dynamicRoutes(group: Ipv4, state: GroupState, path: ReversePath): GroupRoutes {
  const star = starRoute(group, state, path);
  const bySource = new Map<Ipv4, WantedRoute>();
  const useless: Ipv4[] = [];
  for (const source of knownSources(state)) {
    const route = sourceRoute(source, group, state, path);
    // Its way in is away: it may return.
    if (route === undefined) continue;
    // Without outgoing interfaces the route keeps (*,G) from forwarding what everybody excluded, or absorbs what nobody wants.
    const isNeeded = isWanted(route) || star !== undefined || state.seen?.get(source)?.isAbsorbed === true;
    if (isNeeded) bySource.set(source, route);
    else useless.push(source);
  }
  return groupRoutes(star, bySource, useless);
}

/** Only those that are no ranges: of exactly this group, and of sources seen that a rule for all sources forwards. */
export function staticRoutes(group: Ipv4, state: GroupState, rules: StaticRules): GroupRoutes {
  let star: WantedRoute | undefined;
  const bySource = new Map<Ipv4, WantedRoute>();
  for (const rule of rules.ofGroup(group)) {
    if (isRangeRule(rule, rules)) continue;
    const route = withLocal(routeOfRule(rule), state);
    if (route.source === 0) star = route;
    else bySource.set(route.source, route);
  }
  const useless: Ipv4[] = [];
  for (const { source, vport } of state.seen?.values() ?? []) {
    // The same as (*,G), each with its own counters.
    if (star !== undefined && vport === star.incoming && !bySource.has(source)) bySource.set(source, { ...star, source });
    else useless.push(source);
  }
  return groupRoutes(star, bySource, useless);
}

/** The one of them for this source; undefined when there is none. */
export function staticSourceRoute(source: Ipv4, group: Ipv4, state: GroupState, rules: StaticRules): WantedRoute | undefined {
  const rule = rules.exact(source, group);
  if (rule !== undefined) return withLocal(routeOfRule(rule), state);
  const seen = state.seen?.get(source);
  return seen !== undefined && state.star !== undefined && seen.vport === state.star.incoming ? { ...state.star, source } : undefined;
}

function groupRoutes(star: WantedRoute | undefined, bySource: Map<Ipv4, WantedRoute>, useless: readonly Ipv4[]): GroupRoutes {
  return { star, bySource: bySource.size === 0 ? undefined : bySource, useless };
}

/**
 * Whether the data plane must have it as a range: a rule for every source of a group lies below another for some of them, as (*,G)
 * would not.
 */
export function isRangeRule(rule: StaticRule, rules: StaticRules): boolean {
  if (keyOfRule(rule).groupLength !== undefined) return true;
  return rule.source === undefined && rules.hasSourceRanges(rule.group.address);
}

/** For rules that are no ranges. */
export function routeOfRule(rule: StaticRule): WantedRoute {
  const { source, group } = keyOfRule(rule);
  const { incoming, outgoing, ttlThreshold } = rule;
  return ttlThreshold === 0 ? { source, group, incoming, outgoing } : { source, group, incoming, outgoing, ttlThreshold };
}

export function rangeOfRule(rule: StaticRule): WantedRoute {
  const { group, source } = rule;
  return { group: group.address, groupLength: group.length, source: source?.address ?? 0, sourceLength: source?.length ?? 0, ...actionOf(rule) };
}

function actionOf({ incoming, outgoing, ttlThreshold }: StaticRule): Pick<WantedRoute, 'incoming' | 'outgoing' | 'ttlThreshold'> {
  return ttlThreshold === 0 ? { incoming, outgoing } : { incoming, outgoing, ttlThreshold };
}

function starRoute(group: Ipv4, state: GroupState, path: ReversePath): WantedRoute | undefined {
  const outgoing: VportId[] = [];
  const upstreams = path.upstreams(group);
  for (const { vport, mode } of wishesOf(state)) {
    if (mode === 'exclude' && !upstreams.includes(vport) && mayLeave(vport, group, path)) outgoing.push(vport);
  }
  // With several upstreams no interface is right for every source: the first packet of each asks.
  const route = withLocal({ source: 0, group, incoming: onlyOne(upstreams), outgoing: ascending(outgoing) }, state);
  return isWanted(route) ? route : undefined;
}

function sourceRoute(source: Ipv4, group: Ipv4, state: GroupState, path: ReversePath): WantedRoute | undefined {
  const candidates = path.incomingFor(source, group);
  if (candidates.length === 0) return undefined;
  const seen = state.seen?.get(source);
  const incoming = seen !== undefined && candidates.includes(seen.vport) ? seen.vport : onlyOne(candidates);
  const outgoing = outgoingOf(state, { source, group, incoming, candidates, sends: seen !== undefined }, path);
  return withLocal({ source, group, incoming, outgoing }, state);
}

/**
 * As on any host: an application gets what comes in by the interface on which it is a member, whether or not it is the incoming one of the
 * route, and what leaves there.
 */
export function withLocal(route: WantedRoute, state: GroupState): WantedRoute {
  if (state.local.length === 0) return route;
  const isOf = (demand: Demand): boolean => (route.source === 0 ? demand.mode === 'exclude' : wants(demand, route.source));
  const local = ascending(state.local.filter(isOf).map(({ vport }) => vport));
  return local.length === 0 ? route : { ...route, local };
}

export interface Stream {
  readonly source: Ipv4;
  readonly group: Ipv4;
  /** undefined: it may come by any of several upstreams, and has not come yet. */
  readonly incoming: VportId | undefined;
  readonly candidates: readonly VportId[];
  /** The source was seen sending; hosts may name any. */
  readonly sends: boolean;
}

export function outgoingOf(state: GroupState, { source, group, incoming, candidates, sends }: Stream, path: ReversePath): readonly VportId[] {
  const entrances = incoming === undefined ? candidates : [incoming];
  if (!entrances.some((vport) => path.crosses(vport, group))) return [];
  const outgoing: VportId[] = [];
  for (const demand of wishesOf(state)) {
    if (!entrances.includes(demand.vport) && wants(demand, source) && mayLeave(demand.vport, group, path)) outgoing.push(demand.vport);
  }
  if (sends && incoming !== undefined) outgoing.push(...upstreamsFor(group, incoming, path));
  return ascending(outgoing);
}

/** RFC 4605 4.2: what a downstream source sends goes upstream always. What comes from one upstream never goes to another. */
function upstreamsFor(group: Ipv4, incoming: VportId, path: ReversePath): readonly VportId[] {
  const upstreams = path.upstreams(group);
  return upstreams.includes(incoming) || path.isUpstream(incoming) ? [] : upstreams.filter((vport) => vport !== incoming);
}

function mayLeave(vport: VportId, group: Ipv4, path: ReversePath): boolean {
  return path.forwardsTo(vport) && path.crosses(vport, group);
}

function onlyOne(candidates: readonly VportId[]): VportId | undefined {
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** Kept for each route: an array that grew by pushes has room for sixteen more. */
function ascending(vports: readonly VportId[]): readonly VportId[] {
  return vports.length < 2 ? vports.slice() : [...new Set(vports)].sort((a, b) => a - b);
}
