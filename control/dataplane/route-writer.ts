/**
 * Routes on their way into the maps: encodes many side by side, hands them to the kernel in one call and then to the index. Goes on behind an element that
 * was refused. Ranges, and routes with a TTL threshold of their own, go one by one: they have tables beside. Knows the bytes of a route, not what it stands for.
 */
import type { BpfMap } from '#bindings';
import { isRange, rangeOf, type RouteKey, type WantedRoute } from '../mrib/route';
import type { Abi, InstalledRoute } from './abi';
import type { PrefixRoutes } from './prefix-routes';
import { NO_PLACE, type RouteIndex } from './route-index';
import { halvesOf, type RouteWords } from './route-words';
import type { ThresholdTable } from './threshold-table';

/** About half a millisecond of the event loop. */
const SLICE = 1024;

export interface WritableRoute {
  readonly route: WantedRoute;
  readonly counter: number;
  /** Index of the replication group; any when the route has no outgoing interface. */
  readonly group: number;
  /** Left to the tc program. */
  readonly viaTc: boolean;
  /** Some outgoing ports are VLANs. */
  readonly toVlans: boolean;
}

export interface RouteMaps {
  /** All routes but ranges. */
  readonly map: BpfMap;
  readonly index: RouteIndex;
  readonly thresholds: ThresholdTable;
  /** What the kernel has taken. */
  readonly words: RouteWords;
  readonly ranges: PrefixRoutes;
}

/** By place in what was passed in. */
export type Refusals = ReadonlyMap<number, unknown>;

export class RouteWriter {
  readonly #abi: Abi;
  readonly #map: BpfMap;
  readonly #index: RouteIndex;
  readonly #thresholds: ThresholdTable;
  readonly #words: RouteWords;
  readonly #ranges: PrefixRoutes;
  readonly #keys: Uint8Array;
  readonly #values: Uint8Array;
  readonly #keyView: DataView;
  readonly #valueView: DataView;
  /** The same as words, and where in the index each is to be. */
  readonly #keyWords: BigUint64Array;
  readonly #valueWords: BigUint64Array;
  readonly #keyHalves: Uint32Array;
  readonly #valueHalves: Uint32Array;
  readonly #places = new Int32Array(SLICE);

  constructor(abi: Abi, { map, index, thresholds, words, ranges }: RouteMaps) {
    this.#abi = abi;
    this.#map = map;
    this.#index = index;
    this.#thresholds = thresholds;
    this.#words = words;
    this.#ranges = ranges;
    this.#keys = new Uint8Array(SLICE * abi.routeKeyBytes);
    this.#values = new Uint8Array(SLICE * abi.routeBytes);
    this.#keyView = new DataView(this.#keys.buffer);
    this.#valueView = new DataView(this.#values.buffer);
    this.#keyWords = new BigUint64Array(this.#keys.buffer);
    this.#valueWords = new BigUint64Array(this.#values.buffer);
    this.#keyHalves = halvesOf(this.#keys);
    this.#valueHalves = halvesOf(this.#values);
  }

  set(routes: readonly WritableRoute[], nowMs: number): Refusals {
    return split(routes, ({ route }) => isRange(route) || hasThreshold(route), {
      one: (writable) => this.#setOne(writable, nowMs),
      many: (exact) => this.#setExact(exact, nowMs),
    });
  }

  /** A route that is not there is no refusal. */
  remove(keys: readonly RouteKey[], nowMs: number): Refusals {
    return split(keys, isRange, {
      one: (key) => this.#ranges.remove(rangeOf(key).group, rangeOf(key).source),
      many: (exact) => this.#removeExact(exact, nowMs),
    });
  }

  /** Key and value as the kernel should have them. */
  wordsOf(writable: WritableRoute): { readonly key: bigint; readonly value: bigint } {
    this.#encodeKey(0, writable.route);
    this.#abi.writeRoute(this.#valueView, 0, installed(writable));
    return { key: this.#keyWords[0] ?? 0n, value: this.#valueWords[0] ?? 0n };
  }

  #setOne(writable: WritableRoute, nowMs: number): void {
    const { route, counter } = writable;
    // First: a packet that meets the route must find it.
    if (hasThreshold(route)) this.#thresholds.set(counter, route.ttlThreshold ?? 0);
    if (isRange(route)) {
      const { group, source } = rangeOf(route);
      return this.#ranges.set(group, source, this.#abi.route(installed(writable)));
    }
    for (const refusal of this.#setExact([writable], nowMs).values()) throw refusal;
  }

  #setExact(routes: readonly WritableRoute[], nowMs: number): Refusals {
    return inSlices(routes.length, (from, count) => {
      for (let i = 0; i < count; i++) this.#encode(i, routes[from + i], nowMs);
      let written = 0;
      try {
        this.#map.updateMany(this.#keysOf(count), this.#values.subarray(0, count * this.#abi.routeBytes), count);
        written = count;
      } catch (error) {
        written = processedBefore(error);
        throw error;
      } finally {
        this.#settle(count, written, (i) => routes[from + i]?.counter);
      }
    });
  }

  /** The first `written` of `count` routes are in the table, the others are not. */
  #settle(count: number, written: number, counterOf: (i: number) => number | undefined): void {
    for (let i = 0; i < count; i++) {
      const place = this.#places[i] ?? NO_PLACE;
      if (i < written) {
        this.#index.publish(place, this.#keyWords[i] ?? 0n, this.#valueWords[i] ?? 0n);
        this.#words.set(counterOf(i) ?? 0, this.#keyHalves, this.#valueHalves, i);
      } else this.#index.abandon(place);
    }
  }

  #removeExact(keys: readonly RouteKey[], nowMs: number): Refusals {
    return inSlices(keys.length, (from, count) => {
      for (let i = 0; i < count; i++) {
        const key = keys[from + i];
        if (key === undefined) continue;
        this.#encodeKey(i, key);
        this.#index.remove(key, this.#keyWords[i] ?? 0n, nowMs);
      }
      this.#map.deleteMany(this.#keysOf(count), count);
    });
  }

  #keysOf(count: number): Uint8Array {
    return this.#keys.subarray(0, count * this.#abi.routeKeyBytes);
  }

  #encodeKey(index: number, { source, group }: RouteKey): void {
    this.#abi.writeRouteKey(this.#keyView, index, source, group);
  }

  #encode(index: number, writable: WritableRoute | undefined, nowMs: number): void {
    if (writable === undefined) return;
    this.#encodeKey(index, writable.route);
    this.#abi.writeRoute(this.#valueView, index, installed(writable));
    this.#places[index] = this.#index.reserve(writable.route, this.#keyWords[index] ?? 0n, this.#valueWords[index] ?? 0n, nowMs);
  }
}

function installed({ route, counter, group, viaTc, toVlans }: WritableRoute): InstalledRoute {
  return {
    counter,
    group,
    incoming: route.incoming,
    copies: route.outgoing.length,
    // A range says nothing of its sources one by one.
    learn: route.source === 0 && !isRange(route),
    ttlThreshold: route.ttlThreshold ?? 0,
    viaTc,
    toVlans,
    local: route.local !== undefined,
  };
}

function hasThreshold({ ttlThreshold = 0 }: WantedRoute): boolean {
  return ttlThreshold > 0;
}

/** Some one by one, the others together. */
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
