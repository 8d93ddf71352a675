/**
 * TTL thresholds of routes that have one of their own, by counter. Written before the route that asks for it; what a route leaves behind
 * is written over before a later one is looked up.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { readU32, u32Key } from './keys';

/** Thresholds compared in one piece. */
const PIECE = 4096;

export class ThresholdTable {
  readonly #map: Pick<BpfMap, 'update' | 'lookupBatch'>;
  /** As the kernel should have them. */
  readonly #thresholds = new Map<number, number>();

  constructor(map: Pick<BpfMap, 'update' | 'lookupBatch'>) {
    this.#map = map;
  }

  set(counter: number, threshold: number): void {
    this.#map.update(u32Key(counter), u32Key(threshold));
    this.#thresholds.set(counter, threshold);
  }

  /** It is there already. */
  adopt(counter: number, threshold: number): void {
    this.#thresholds.set(counter, threshold);
  }

  forget(counter: number): void {
    this.#thresholds.delete(counter);
  }

  /** Writes again what somebody else has changed. Resolves with how many. */
  async repair(): Promise<number> {
    if (this.#thresholds.size === 0) return 0;
    const before = [...this.#thresholds];
    // An array of the kernel: the place is the counter.
    const { values } = await this.#map.lookupBatch();
    let [repaired, seen] = [0, 0];
    for (const [counter, threshold] of before) {
      // What was changed meanwhile is as it should be.
      if (readU32(values, counter) !== threshold && this.#thresholds.get(counter) === threshold) {
        this.set(counter, threshold);
        repaired++;
      }
      if (++seen % PIECE === 0) await nextTurn();
    }
    return repaired;
  }
}
