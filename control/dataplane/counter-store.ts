/**
 * The arrays in which the programs count, each CPU in a block of its own: sized before they are loaded, read as sums over the CPUs,
 * zeroed by slot. Knows how they are laid out, not whose slot is whose.
 */
import { possibleCpus } from '#bindings';
import type { BpfMap, BpfObject } from '#bindings';
import { u32Keys } from './keys';

const ROUTES = 'xm_route_stats';
const FAULTS = 'xm_route_fault_stats';
const VPORTS = 'xm_vport_stats';

export interface CounterWords {
  /** By counter slot: struct xm_route_counters, struct xm_route_faults. */
  readonly routes: BigUint64Array;
  readonly faults: BigUint64Array;
  /** By vport: struct xm_vport_counters. */
  readonly vports: BigUint64Array;
}

export class CounterStore {
  readonly #cpus = possibleCpus();
  readonly #routes: BpfMap;
  readonly #faults: BpfMap;
  readonly #vports: BpfMap;

  constructor(object: BpfObject) {
    this.#routes = object.map(ROUTES);
    this.#faults = object.map(FAULTS);
    this.#vports = object.map(VPORTS);
  }

  /** Before the object is loaded. */
  static size(object: BpfObject, limits: { readonly slots: number; readonly vports: number }): void {
    object.setMaxEntries(ROUTES, possibleCpus() * limits.slots);
    object.setMaxEntries(FAULTS, limits.slots);
    object.setMaxEntries(VPORTS, possibleCpus() * limits.vports);
  }

  /** Slots 0 … slots-1 and vports 0 … vports-1, off the event loop. */
  async read(slots: number, vports: number): Promise<CounterWords> {
    const [routeWords, faultWords, vportWords] = await Promise.all([
      this.#routes.sumBlocks({ blocks: this.#cpus, entries: slots }),
      this.#faults.sumBlocks({ blocks: 1, entries: slots }),
      this.#vports.sumBlocks({ blocks: this.#cpus, entries: vports }),
    ]);
    return { routes: routeWords, faults: faultWords, vports: vportWords };
  }

  /** Some hundreds at most: on the event loop. */
  zero(slots: readonly number[]): void {
    const stride = this.#faults.info.maxEntries;
    const everyCpu = Array.from({ length: this.#cpus }, (_, cpu) => slots.map((slot) => cpu * stride + slot)).flat();
    zeroAll(this.#routes, everyCpu);
    zeroAll(this.#faults, slots);
  }
}

function zeroAll(map: BpfMap, indexes: readonly number[]): void {
  map.updateMany(u32Keys(indexes), new Uint8Array(indexes.length * map.valueBytes), indexes.length);
}
