/**
 * Between which interfaces routes lead, and whether a route closes a loop: both ways between two interfaces for packets that two routes
 * have in common. Most routers have routes in one direction only, and then nothing has to be compared.
 */
import { printable } from '../config/printable';
import type { StaticRouteSettings } from '../config/settings';
import type { FlowTable } from '../protocol/packet/flow-table';

export class Directions {
  /** How many routes lead from one to the other, by both names. */
  readonly #counts = new Map<string, Map<string, number>>();

  add({ upstream, downstreams }: StaticRouteSettings): void {
    for (const to of downstreams) this.#change(upstream, to, 1);
  }

  remove({ upstream, downstreams }: StaticRouteSettings): void {
    for (const to of downstreams) this.#change(upstream, to, -1);
  }

  has(from: string, to: string): boolean {
    return (this.#counts.get(from)?.get(to) ?? 0) > 0;
  }

  #change(from: string, to: string, by: 1 | -1): void {
    const counts = this.#counts.get(from) ?? new Map<string, number>();
    this.#counts.set(from, counts);
    counts.set(to, (counts.get(to) ?? 0) + by);
  }
}

/** Routes to compare with, and where they lead. */
export interface RouteSet<Route extends StaticRouteSettings> {
  readonly routes: FlowTable<Route>;
  readonly directions: Directions;
}

/** A route of `others` that sends packets of `route` back; undefined: none does. Walks where there are both directions. */
export function loopWith<Route extends StaticRouteSettings>(
  route: StaticRouteSettings,
  others: RouteSet<Route>,
  counts: (other: Route) => boolean,
): Route | undefined {
  const { upstream, downstreams } = route;
  if (!downstreams.some((name) => others.directions.has(name, upstream))) return undefined;
  for (const other of others.routes.overlapping(route)) {
    if (downstreams.includes(other.upstream) && other.downstreams.includes(upstream) && counts(other)) return other;
  }
  return undefined;
}

/** `whose`: names the route that sends back. */
export function loopText({ upstream, downstreams }: StaticRouteSettings, other: StaticRouteSettings, whose: string): string {
  const back = downstreams.find((name) => name === other.upstream) ?? '';
  return `sends from ${printable(upstream)} to ${printable(back)}, and ${whose} sends packets of the same flow back: a loop; leave one of the two interfaces out of one of them`;
}
