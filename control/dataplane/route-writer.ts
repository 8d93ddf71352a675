/**
 * Routes on their way into the map: encodes many side by side and hands them to the kernel in one call. Goes on behind an element that
 * was refused. Ranges go one by one to their own tables. Knows the bytes of a route, not what it stands for.
 */
import type { BpfMap } from '#bindings';
import { isRange, rangeOf, type RouteKey, type WantedRoute } from '../mrib/route';
import type { Abi, InstalledRoute } from './abi';
import type { PrefixRoutes } from './prefix-routes';

/** About half a millisecond of the event loop. */
const SLICE = 1024;

export interface WritableRoute {
  readonly route: WantedRoute;
  readonly counter: number;
  /** Index of the replication group; any when the route has no outgoing interface. */
  readonly group: number;
}

/** By place in what was passed in. */
export type Refusals = ReadonlyMap<number, unknown>;

export class RouteWriter {
  readonly #abi: Abi;
  readonly #map: BpfMap;
  readonly #ranges: PrefixRoutes;
  readonly #keys: Uint8Array;
  readonly #values: Uint8Array;
  readonly #keyView: DataView;
  readonly #valueView: DataView;

  constructor(abi: Abi, map: BpfMap, ranges: PrefixRoutes) {
    this.#abi = abi;
    this.#map = map;
    this.#ranges = ranges;
    this.#keys = new Uint8Array(SLICE * abi.routeKeyBytes);
    this.#values = new Uint8Array(SLICE * abi.routeBytes);
    this.#keyView = new DataView(this.#keys.buffer);
    this.#valueView = new DataView(this.#values.buffer);
  }

  set(routes: readonly WritableRoute[]): Refusals {
    return split(routes, ({ route }) => isRange(route), {
      one: (writable) => this.#setRange(writable),
      many: (exact) => this.#setExact(exact),
    });
  }

  /** A route that is not there is no refusal. */
  remove(keys: readonly RouteKey[]): Refusals {
    return split(keys, isRange, {
      one: (key) => this.#ranges.remove(rangeOf(key).group, rangeOf(key).source),
      many: (exact) => this.#removeExact(exact),
    });
  }

  #setRange(writable: WritableRoute): void {
    const { group, source } = rangeOf(writable.route);
    this.#ranges.set(group, source, this.#abi.route(installed(writable)));
  }

  #setExact(routes: readonly WritableRoute[]): Refusals {
    return inSlices(routes.length, (from, count) => {
      for (let i = 0; i < count; i++) this.#encode(i, routes[from + i]);
      this.#map.updateMany(this.#keysOf(count), this.#values.subarray(0, count * this.#abi.routeBytes), count);
    });
  }

  #removeExact(keys: readonly RouteKey[]): Refusals {
    return inSlices(keys.length, (from, count) => {
      for (let i = 0; i < count; i++) this.#encodeKey(i, keys[from + i]);
      this.#map.deleteMany(this.#keysOf(count), count);
    });
  }

  #keysOf(count: number): Uint8Array {
    return this.#keys.subarray(0, count * this.#abi.routeKeyBytes);
  }

  #encodeKey(index: number, key: RouteKey | undefined): void {
    if (key !== undefined) this.#abi.writeRouteKey(this.#keyView, index, key.source, key.group);
  }

  #encode(index: number, writable: WritableRoute | undefined): void {
    if (writable === undefined) return;
    this.#encodeKey(index, writable.route);
    this.#abi.writeRoute(this.#valueView, index, installed(writable));
  }
}

function installed({ route, counter, group }: WritableRoute): InstalledRoute {
  return {
    counter,
    group,
    incoming: route.incoming,
    copies: route.outgoing.length,
    // A range says nothing of its sources one by one.
    learn: route.source === 0 && !isRange(route),
    ttlThreshold: route.ttlThreshold ?? 0,
  };
}

/** Those that are ranges one by one, the others together. */
function split<Item>(
  items: readonly Item[],
  isOne: (item: Item) => boolean,
  write: { readonly one: (item: Item) => void; readonly many: (items: readonly Item[]) => Refusals },
): Refusals {
  if (!items.some(isOne)) return write.many(items);
  const refusals = new Map<number, unknown>();
  const rest: number[] = [];
  items.forEach((item, place) => {
    if (!isOne(item)) return void rest.push(place);
    try {
      write.one(item);
    } catch (error) {
      refusals.set(place, error);
    }
  });
  for (const [place, error] of write.many(items.filter((item) => !isOne(item)))) refusals.set(rest[place] ?? -1, error);
  return refusals;
}

function inSlices(length: number, write: (from: number, count: number) => void): Refusals {
  const refusals = new Map<number, unknown>();
  for (let from = 0; from < length; ) {
    const count = Math.min(SLICE, length - from);
    try {
      write(from, count);
      from += count;
    } catch (error) {
      from += processedBefore(error);
      refusals.set(from++, error);
    }
  }
  return refusals;
}

function processedBefore(error: unknown): number {
  const processed = (error as { readonly processed?: unknown }).processed;
  return typeof processed === 'number' ? processed : 0;
}
