/**
 * Hands entries to the router, many at a time, and finds out which routes it could not take.
 */
import type { xmcast } from '#proto';
import { flowMessage, type EntryKey, type OwnedEntry } from './entry';
import { flowOf, keyOfEntry } from './entry-table';
import type { StaticFollower, StaticMembershipChange, StaticRouteChange } from './follower';
import { forEachPaced } from './pace';
import type { UpdatePlan } from './update-plan';

export interface RefusedRoute {
  readonly route: xmcast.v1.StaticRouteKey.$Properties;
  readonly problem: string;
}

const AT_ONCE = 64;

export class Programming {
  readonly #follower: StaticFollower;
  #routes: StaticRouteChange[] = [];
  #memberships: StaticMembershipChange[] = [];

  constructor(follower: StaticFollower) {
    this.#follower = follower;
  }

  put(entry: OwnedEntry): void {
    if (entry.kind === 'route') this.#routes.push({ flow: entry.route, route: entry.route });
    else this.#memberships.push(entry.membership);
    this.#flushIfMany();
  }

  drop(key: EntryKey): void {
    if (key.kind === 'route') this.#routes.push({ flow: key.flow, route: undefined });
    else this.#memberships.push({ interface: key.interface, group: key.group, sources: undefined });
    this.#flushIfMany();
  }

  flush(): void {
    if (this.#routes.length + this.#memberships.length === 0) return;
    const changes = { routes: this.#routes, memberships: this.#memberships };
    [this.#routes, this.#memberships] = [[], []];
    this.#follower.change(changes);
  }

  /** Resolves when the data plane has them, with those of the routes put that it has not. */
  async refusedOf({ puts, drops }: Pick<UpdatePlan, 'puts' | 'drops'>): Promise<readonly RefusedRoute[]> {
    const keys = [...puts.map(keyOfEntry), ...drops];
    const flows = keys.flatMap((key) => (key.kind === 'route' ? [key.flow] : []));
    await this.#follower.programmed(flows);
    const refused: RefusedRoute[] = [];
    await forEachPaced(puts, (entry) => {
      if (entry.kind !== 'route') return;
      const problem = this.#follower.routeHindrance(entry.route);
      if (problem !== '') refused.push({ route: flowMessage(flowOf(entry.route)), problem });
    });
    return refused;
  }

  #flushIfMany(): void {
    if (this.#routes.length + this.#memberships.length >= AT_ONCE) this.flush();
  }
}
