/**
 * The mroutes of an smcroute.conf as static routes. smcroute may take one group from several interfaces; a static route has one
 * upstream, so those groups become memberships of the interfaces they go to, and each source arrives by its own interface.
 */
import type { xmcast } from '#proto';
import { printable } from '../config/printable';
import { formatIpv4, formatPrefix, type Ipv4Prefix } from '../protocol/packet/address';
import { PrefixTable } from '../protocol/packet/prefix-table';
import type { Notes } from './import-result';
import type { SmcRoute } from './smcroute-read';
import type { StaticMemberships } from './static-memberships';

type StaticRoute = xmcast.v1.StaticRoute.$Properties;

export interface RoutesResult {
  readonly staticRoutes: readonly StaticRoute[];
  /** The line of each. */
  readonly lines: readonly number[];
  /** What the routes were made from. */
  readonly used: readonly SmcRoute[];
}

export function translateRoutes(routes: readonly SmcRoute[], memberships: StaticMemberships, notes: Notes): RoutesResult {
  const flows = byFlow(routes);
  const covering = flowsByGroup(routes);
  const used: SmcRoute[] = [];
  for (const [flow, sameFlow] of flows) {
    const merged = mergeByUpstream(sameFlow);
    const [first, ...others] = merged;
    if (first === undefined) continue;
    if (others.length === 0) used.push(first);
    else if (isCoveredByAnother(flow, first.group, covering) || !shareGroup(first, merged, memberships, notes)) {
      used.push(first);
      refuse(first, others, notes);
    }
  }
  return { staticRoutes: used.map(staticRoute), lines: used.map(({ line }) => line), used };
}

function byFlow(routes: readonly SmcRoute[]): ReadonlyMap<string, readonly SmcRoute[]> {
  const flows = new Map<string, SmcRoute[]>();
  for (const route of routes) {
    const known = flows.get(flowOf(route));
    if (known === undefined) flows.set(flowOf(route), [route]);
    else known.push(route);
  }
  return flows;
}

function flowOf({ group, source }: SmcRoute): string {
  return `${formatPrefix(group)} ${source === undefined ? '*' : formatPrefix(source)}`;
}

function flowsByGroup(routes: readonly SmcRoute[]): PrefixTable<Set<string>> {
  const table = new PrefixTable<Set<string>>();
  for (const route of routes) {
    const known = table.get(route.group);
    if (known === undefined) table.set(route.group, new Set([flowOf(route)]));
    else known.add(flowOf(route));
  }
  return table;
}

/** A static route for the group, whatever its source, would replace what memberships ask for. */
function isCoveredByAnother(flow: string, group: Ipv4Prefix, covering: PrefixTable<Set<string>>): boolean {
  for (const flows of covering.containing(group.address)) if (flows.size > 1 || !flows.has(flow)) return true;
  return false;
}

/** A second mroute for the same flow adds its interfaces. */
function mergeByUpstream(routes: readonly SmcRoute[]): readonly SmcRoute[] {
  const merged = new Map<string, SmcRoute>();
  for (const route of routes) {
    const known = merged.get(route.from);
    merged.set(route.from, known === undefined ? route : { ...known, to: [...new Set([...known.to, ...route.to])] });
  }
  return [...merged.values()];
}

/** False: it cannot be said with memberships. */
function shareGroup(
  { group, source, line }: SmcRoute,
  routes: readonly SmcRoute[],
  memberships: StaticMemberships,
  notes: Notes,
): boolean {
  const targets = [...new Set(routes.flatMap(({ to }) => to))];
  const isOneFlow = group.length === 32 && (source === undefined || source.length === 32);
  if (!isOneFlow || targets.length === 0 || !targets.every((name) => memberships.canHave(name))) return false;
  const sources = source === undefined ? [] : [source.address];
  if (!targets.every((name) => memberships.add(name, group.address, sources))) return false;
  const from = routes.map((route) => printable(route.from)).join(', ');
  notes.info(
    line,
    `mroute of ${formatIpv4(group.address)} from ${from}: memberships of ${targets.map(printable).join(', ')}, since a static route has one upstream; ` +
      'each source is expected on the interface its address belongs to (alternative_subnets adds to those), and upstream interfaces get a copy',
  );
  return true;
}

function refuse(first: SmcRoute, others: readonly SmcRoute[], notes: Notes): void {
  for (const { line, from, group } of others) {
    const flow = formatPrefix(group);
    notes.error(
      line,
      `mroute of ${flow} from ${printable(from)}: left out; a static route has one upstream, and line ${first.line} says ${printable(first.from)}`,
    );
  }
}

function staticRoute({ group, source, from, to }: SmcRoute): StaticRoute {
  const route: StaticRoute = { group: prefixText(group), upstream: from, downstreams: [...to] };
  return source === undefined ? route : { ...route, source: prefixText(source) };
}

function prefixText(prefix: Ipv4Prefix): string {
  return prefix.length === 32 ? formatIpv4(prefix.address) : formatPrefix(prefix);
}
