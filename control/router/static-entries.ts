/**
 * Static routes and memberships on their way into the router, of the configuration and of the API. Keeps what is wanted; how a rule
 * becomes a route is decided elsewhere.
 */
import type { Mrib } from '../mrib/mrib';
import type { RouteChange } from '../mrib/route';
import { keyOfRule } from '../mrib/static-rules';
import type { FlowPrefix } from '../protocol/packet/flow-table';
import type { ChangedPlaces, Hindrance, StaticFollower, StaticSource } from '../static/follower';
import type { Port } from './port';
import type { RouteSync } from './route-sync';
import { StaticMemberships } from './static-memberships';
import { StaticRoutes } from './static-routes';

/** Rules, or memberships, in one step: tens of microseconds. */
const AT_ONCE = 32;

export interface StaticEntriesOptions {
  readonly mrib: Mrib;
  readonly routes: RouteSync;
  readonly ports: () => readonly Port[];
  /** There is something to do for step(). */
  readonly onBehind: () => void;
  /** Resolves when there is nothing to do any more. */
  readonly caughtUp: () => Promise<void>;
  /** Resolves when routes are written. */
  readonly writing: Promise<void>;
}

export class StaticEntries implements StaticFollower {
  readonly routes = new StaticRoutes();
  readonly #options: StaticEntriesOptions;
  readonly #memberships = new StaticMemberships();

  constructor(options: StaticEntriesOptions) {
    this.#options = options;
  }

  interfacesChanged(): void {
    const ports = this.#options.ports();
    this.routes.interfacesChanged(ports);
    this.#memberships.interfacesChanged(ports);
  }

  /** Does a little of what is to do; undefined when there is nothing. Memberships go to the ports, which tell what becomes of them. */
  step(): readonly RouteChange[] | undefined {
    if (this.routes.isBehind) return this.#options.mrib.changeStaticRules(this.routes.take(AT_ONCE));
    if (!this.#memberships.isBehind) return undefined;
    const taken = this.#memberships.take(AT_ONCE);
    for (const port of this.#options.ports()) {
      const changes = taken.get(port.name);
      if (changes !== undefined) port.input({ kind: 'static-groups', changes });
    }
    return [];
  }

  follow(source: StaticSource): void {
    this.routes.follow(source);
    this.#memberships.follow(source);
  }

  changed({ flows, memberships }: ChangedPlaces): void {
    this.routes.changed(flows);
    this.#memberships.changed(memberships);
    this.#options.onBehind();
  }

  known(): Promise<void> {
    return this.#options.caughtUp();
  }

  async programmed(flows: readonly FlowPrefix[]): Promise<void> {
    const { routes, caughtUp, writing } = this.#options;
    await writing;
    await caughtUp();
    // One after the other: what was written once may wait again because of another change, and does not count.
    for (const flow of flows) while (routes.isWaiting(keyOfRule(flow)) || routes.isWaiting(rangeKey(flow))) await routes.written();
  }

  routeHindrance(flow: FlowPrefix): Hindrance {
    const missing = this.routes.missingInterfaces(flow);
    if (missing.length > 0) return `waits for ${missing.join(', ')}`;
    return this.#options.routes.problemOf(keyOfRule(flow)) || this.#options.routes.problemOf(rangeKey(flow));
  }

  membershipHindrance(interfaceName: string): Hindrance {
    const port = this.#options.ports().find(({ name }) => name === interfaceName);
    if (port === undefined) return `${interfaceName} is not in the configuration`;
    if (port.host !== undefined) return `${interfaceName} is an upstream: only a downstream interface has memberships`;
    return port.igmp === undefined ? `waits for ${interfaceName}` : '';
  }
}

/** A rule for every source of one group may be a range, too. */
function rangeKey({ group, source }: FlowPrefix) {
  return { group: group.address, groupLength: group.length, source: source?.address ?? 0, sourceLength: source?.length ?? 0 };
}
