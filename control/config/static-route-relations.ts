/**
 * Rules between static routes, and between them and interfaces[]: names that exist, each flow once, and no way back to where it
 * came from.
 */
import type { xmcast } from '#proto';
import { formatPrefix, type Ipv4Prefix } from '../protocol/packet/address';
import { problem } from './field-rules';
import type { NameBook } from './name-book';
import { OverlapIndex } from './overlap-index';
import { printable } from './printable';
import { MAX_STATIC_ROUTE_DOWNSTREAMS } from './ranges';
import type { Problem, StaticRouteSettings } from './settings';
import { indexPath, keyPath } from './source-map';
import { staticRoutes } from './static-settings';

const EVERY_SOURCE: Ipv4Prefix = { address: 0, length: 0 };

export function staticRouteProblems(config: xmcast.v1.Config.$Properties, names: NameBook): Problem[] {
  const routes = staticRoutes(config.staticRoutes ?? []);
  const copies = routes.reduce((sum, { downstreams }) => sum + downstreams.length, 0);
  if (copies > MAX_STATIC_ROUTE_DOWNSTREAMS) {
    return [problem('static_routes', `${copies} downstreams in all; at most ${MAX_STATIC_ROUTE_DOWNSTREAMS} are allowed`)];
  }
  const problems = [...duplicateRoutes(routes), ...routes.flatMap((route, index) => routeNameProblems(route, pathOf(index), names))];
  return problems.length > 0 ? problems : loopProblems(routes, names);
}

function pathOf(index: number): string {
  return indexPath('static_routes', index);
}

function duplicateRoutes(routes: readonly StaticRouteSettings[]): Problem[] {
  const first = new Map<string, number>();
  return routes.flatMap((route, index) => {
    const flow = `${formatPrefix(route.group)} ${formatPrefix(route.source ?? EVERY_SOURCE)}`;
    const earlier = first.get(flow);
    if (earlier === undefined) first.set(flow, index);
    return earlier === undefined ? [] : [problem(pathOf(index), `has the group and source of ${pathOf(earlier)}`)];
  });
}

/** Interfaces that the configuration does not have, or that stand at both ends. */
export function routeNameProblems({ upstream, downstreams }: StaticRouteSettings, path: string, names: NameBook): Problem[] {
  const fault = names.unknownFault(upstream);
  const seen = new Set<string>();
  const ofDownstreams = downstreams.flatMap((name, index) => {
    const message = downstreamFault(name, upstream, seen) ?? names.unknownFault(name);
    seen.add(name);
    return message === undefined ? [] : [problem(indexPath(keyPath(path, 'downstreams'), index), message)];
  });
  return fault === undefined ? ofDownstreams : [problem(keyPath(path, 'upstream'), fault), ...ofDownstreams];
}

function downstreamFault(name: string, upstream: string, seen: ReadonlySet<string>): string | undefined {
  if (name === upstream) return `${printable(name)} is the upstream of this route; packets do not go back where they came from`;
  return seen.has(name) ? `${printable(name)} is given twice` : undefined;
}

/** One way of packets through the router. */
interface Hop {
  readonly route: number;
  readonly from: string;
  readonly to: string;
  readonly group: Ipv4Prefix;
  readonly source: Ipv4Prefix;
}

/**
 * Both ways between two interfaces for one flow: what a neighbour sends back goes round for ever. Tells at least one loop of each
 * flow that has any, not each pair of routes, of which there may be millions.
 */
function loopProblems(routes: readonly StaticRouteSettings[], names: NameBook): Problem[] {
  const hops = hopsByDirection(routes, names);
  const looped = new Map<number, Problem>();
  for (const [direction, there] of hops) {
    const back = hops.get(reversed(direction));
    if (back === undefined) continue;
    const index = new OverlapIndex(back);
    for (const hop of there) {
      const other = index.findAround(hop);
      // The later of two routes is blamed, once.
      if (other !== undefined) noteLoop(looped, hop, other);
    }
  }
  return [...looped.values()];
}

/** Two indexes of interfaces as one number. */
const DIRECTION_BASE = 65_536;

function hopsByDirection(routes: readonly StaticRouteSettings[], names: NameBook): Map<number, Hop[]> {
  const hops = new Map<number, Hop[]>();
  for (const [route, { group, source = EVERY_SOURCE, upstream: from, downstreams }] of routes.entries()) {
    for (const to of downstreams) {
      const direction = (names.indexOf(from) ?? 0) * DIRECTION_BASE + (names.indexOf(to) ?? 0);
      const hop = { route, from, to, group, source };
      const there = hops.get(direction);
      if (there === undefined) hops.set(direction, [hop]);
      else there.push(hop);
    }
  }
  return hops;
}

function reversed(direction: number): number {
  return (direction % DIRECTION_BASE) * DIRECTION_BASE + Math.floor(direction / DIRECTION_BASE);
}

function noteLoop(looped: Map<number, Problem>, hop: Hop, other: Hop): void {
  const [earlier, later] = hop.route < other.route ? [hop, other] : [other, hop];
  if (looped.has(later.route)) return;
  const message =
    `sends ${flowText(later)} from ${printable(later.from)} to ${printable(later.to)}, ` +
    `and ${pathOf(earlier.route)} sends ${flowText(earlier)} back: a loop; leave one of the two interfaces out of one of them`;
  looped.set(later.route, problem(pathOf(later.route), message));
}

function flowText({ group, source }: Hop): string {
  return source.length === 0 ? prefixText(group) : `${prefixText(group)} of ${prefixText(source)}`;
}

function prefixText(prefix: Ipv4Prefix): string {
  return formatPrefix(prefix).replace(/\/32$/, '');
}
