/**
 * The routes that are installed: writes one change at a time so that packets see the old route or the new one, never neither; keeps
 * the counter slot and the replication group of each. When something is refused the route that was there stays.
 */
import type { BpfMap } from '#bindings';
import { errorText } from '../errors';
import type { RouteChange, RouteKey, WantedRoute } from '../mrib/route';
import { routeName } from '../mrib/route';
import type { Abi } from './abi';
import type { RouteProblem } from './api';
import type { CounterSlots } from './counter-slots';
import type { Group, GroupPool } from './group-pool';

export interface RouteEntry {
  readonly route: WantedRoute;
  readonly counter: number;
  /** undefined: no outgoing interface. */
  readonly group: Group | undefined;
  readonly installedAtMs: number;
}

export interface RouteTableParts {
  readonly map: BpfMap;
  readonly groups: GroupPool;
  readonly slots: CounterSlots;
  readonly limit: number;
  /** A route has left the forwarder. */
  readonly onRemoved: (name: string, entry: RouteEntry) => void;
}

export class RouteTable {
  readonly #abi: Abi;
  readonly #map: BpfMap;
  readonly #groups: GroupPool;
  readonly #slots: CounterSlots;
  readonly #limit: number;
  readonly #onRemoved: (name: string, entry: RouteEntry) => void;
  readonly #entries = new Map<string, RouteEntry>();

  constructor(abi: Abi, parts: RouteTableParts) {
    this.#abi = abi;
    this.#map = parts.map;
    this.#groups = parts.groups;
    this.#slots = parts.slots;
    this.#limit = parts.limit;
    this.#onRemoved = parts.onRemoved;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): IterableIterator<[string, RouteEntry]> {
    return this.#entries.entries();
  }

  /** The problem when the change was refused. */
  apply(change: RouteChange, nowMs: number): RouteProblem | undefined {
    if (change.kind === 'remove') return this.#remove(change.key, nowMs);
    try {
      const problem = this.#set(change.route, nowMs);
      return problem === undefined ? undefined : { source: change.route.source, group: change.route.group, problem };
    } catch (error) {
      return { source: change.route.source, group: change.route.group, problem: `write the route: ${errorText(error)}` };
    }
  }

  #set(route: WantedRoute, nowMs: number): string | undefined {
    const name = routeName(route.source, route.group);
    const before = this.#entries.get(name);
    if (before === undefined && this.#entries.size >= this.#limit) return `the route table is full (limits.routes is ${this.#limit})`;
    const counter = before?.counter ?? this.#slots.take(nowMs);
    if (counter === undefined) return 'every counter is in use or resting; it will be tried again';
    const group = route.outgoing.length === 0 ? undefined : this.#groups.acquire(route.outgoing, nowMs);
    if (route.outgoing.length > 0 && group === undefined) {
      if (before === undefined) this.#slots.giveBack(counter);
      return `no replication group for ${route.outgoing.length} interfaces is free (limits.replication_groups is ${this.#groups.limit})`;
    }
    try {
      this.#write(route, counter, group);
    } catch (error) {
      if (group !== undefined) this.#groups.release(group, nowMs);
      if (before === undefined) this.#slots.giveBack(counter);
      throw error;
    }
    if (before?.group !== undefined) this.#groups.release(before.group, nowMs);
    this.#entries.set(name, { route, counter, group, installedAtMs: before?.installedAtMs ?? nowMs });
    return undefined;
  }

  #write(route: WantedRoute, counter: number, group: Group | undefined): void {
    const value = this.#abi.route({
      counter,
      group: group?.index ?? 0,
      incoming: route.incoming,
      copies: route.outgoing.length,
      learn: route.source === 0,
      ttlThreshold: route.ttlThreshold ?? 0,
    });
    this.#map.update(this.#abi.routeKey(route.source, route.group), value);
  }

  #remove(key: RouteKey, nowMs: number): undefined {
    const name = routeName(key.source, key.group);
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#map.delete(this.#abi.routeKey(key.source, key.group));
    this.#entries.delete(name);
    this.#onRemoved(name, entry);
    this.#slots.release(entry.counter, nowMs);
    if (entry.group !== undefined) this.#groups.release(entry.group, nowMs);
    return undefined;
  }
}
