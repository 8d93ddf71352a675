/**
 * Hands entries to the router, many at a time, and finds out which routes it could not take.
 */
import type { xmcast } from '#proto';
import type { FlowPrefix } from '../protocol/packet/flow-table';
import { flowMessage, type EntryKey, type OwnedEntry } from './entry';
import { flowOf } from './entry-table';
import type { MembershipPlace, StaticFollower } from './follower';
import { forEachPaced } from './pace';
import type { UpdatePlan } from './update-plan';

export interface RefusedRoute {
  readonly route: xmcast.v1.StaticRouteKey.$Properties;
  readonly problem: string;
}

const AT_ONCE = 64;

export class Programming {
  readonly #follower: StaticFollower;
  #flows: FlowPrefix[] = [];
  #memberships: MembershipPlace[] = [];

  constructor(follower: StaticFollower) {
    this.#follower = follower;
  }

  put(entry: OwnedEntry): void {
    if (entry.kind === 'route') this.#flows.push(entry.route);
    else this.#memberships.push(entry.membership);
    this.#flushIfMany();
  }

  drop(key: EntryKey): void {
    if (key.kind === 'route') this.#flows.push(key.flow);
    else this.#memberships.push(key);
    this.#flushIfMany();
  }

  flush(): void {
    if (this.#flows.length + this.#memberships.length === 0) return;
    const places = { flows: this.#flows, memberships: this.#memberships };
    [this.#flows, this.#memberships] = [[], []];
    this.#follower.changed(places);
  }

  /** Resolves when the data plane has them, with those of the routes put that it has not. */
  async refusedOf({ puts, drops }: Pick<UpdatePlan, 'puts' | 'drops'>): Promise<readonly RefusedRoute[]> {
    const put = puts.flatMap((entry) => (entry.kind === 'route' ? [entry.route] : []));
    const dropped = drops.flatMap((key) => (key.kind === 'route' ? [key.flow] : []));
    await this.#follower.programmed([...put, ...dropped]);
    const refused: RefusedRoute[] = [];
    await forEachPaced(puts, (entry) => {
      if (entry.kind !== 'route') return;
      const problem = this.#follower.routeHindrance(entry.route);
      if (problem !== '') refused.push({ route: flowMessage(flowOf(entry.route)), problem });
    });
    return refused;
  }

  #flushIfMany(): void {
    if (this.#flows.length + this.#memberships.length >= AT_ONCE) this.flush();
  }
}
