/**
 * Routes of a controller before this one that nothing known so far asks for. They go on forwarding until the hold time is over, unless
 * something is heard of their groups. Pure bookkeeping.
 */
import { nameOf, type RouteChange, type RouteKey, type WantedRoute } from '../mrib/route';
import type { Ipv4 } from '../protocol/packet/address';
import { keyOf } from './route-queue';

export class StaleRoutes {
  /** By nameOf(), by group. */
  readonly #groups = new Map<Ipv4, Map<string, RouteKey>>();
  #size = 0;

  constructor(routes: Iterable<WantedRoute>) {
    for (const route of routes) {
      const names = this.#groups.get(route.group) ?? new Map<string, RouteKey>();
      names.set(nameOf(route), route);
      this.#groups.set(route.group, names);
      this.#size++;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Somebody decides about these routes: stale no more. */
  changed(changes: readonly RouteChange[]): void {
    if (this.#size === 0) return;
    for (const change of changes) this.#forget(keyOf(change));
  }

  /** What is stale of this group is not to be had any more. */
  takeGroup(group: Ipv4): readonly RouteChange[] {
    const names = this.#groups.get(group);
    if (names === undefined) return [];
    this.#groups.delete(group);
    this.#size -= names.size;
    return [...names.values()].map((key) => ({ kind: 'remove', key }));
  }

  takeAll(): readonly RouteChange[] {
    return [...this.#groups.keys()].flatMap((group) => this.takeGroup(group));
  }

  #forget(key: RouteKey): void {
    const names = this.#groups.get(key.group);
    if (names?.delete(nameOf(key)) === true) this.#size--;
    if (names?.size === 0) this.#groups.delete(key.group);
  }
}
