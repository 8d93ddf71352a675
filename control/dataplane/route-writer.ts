/**
 * Routes on their way into the map: encodes many side by side and hands them to the kernel in one call. Goes on behind an element that
 * was refused. Knows the bytes of a route, not what it stands for.
 */
import type { BpfMap } from '#bindings';
import type { RouteKey, WantedRoute } from '../mrib/route';
import type { Abi } from './abi';

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
  readonly #keys: Uint8Array;
  readonly #values: Uint8Array;
  readonly #keyView: DataView;
  readonly #valueView: DataView;

  constructor(abi: Abi, map: BpfMap) {
    this.#abi = abi;
    this.#map = map;
    this.#keys = new Uint8Array(SLICE * abi.routeKeyBytes);
    this.#values = new Uint8Array(SLICE * abi.routeBytes);
    this.#keyView = new DataView(this.#keys.buffer);
    this.#valueView = new DataView(this.#values.buffer);
  }

  set(routes: readonly WritableRoute[]): Refusals {
    return inSlices(routes.length, (from, count) => {
      for (let i = 0; i < count; i++) this.#encode(i, routes[from + i]);
      this.#map.updateMany(this.#keysOf(count), this.#values.subarray(0, count * this.#abi.routeBytes), count);
    });
  }

  /** A route that is not there is no refusal. */
  remove(keys: readonly RouteKey[]): Refusals {
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
    const { route, counter, group } = writable;
    this.#encodeKey(index, route);
    this.#abi.writeRoute(this.#valueView, index, {
      counter,
      group,
      incoming: route.incoming,
      copies: route.outgoing.length,
      learn: route.source === 0,
      ttlThreshold: route.ttlThreshold ?? 0,
    });
  }
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
