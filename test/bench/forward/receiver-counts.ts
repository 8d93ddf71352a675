/** What has arrived at the far ends: read from the receivers' own program, as differences. */
import { endianness } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { u32Key } from '../../../control/dataplane/keys';

const LITTLE_ENDIAN = endianness() === 'LE';
/** struct bench_count: packets, bytes. */
const COUNT_BYTES = 16;
const SETTLE_STEP_MS = 2;
/** Frames that wait in a ring longer than this do not come any more. */
const SETTLE_STEPS = 10;

export interface Arrived {
  readonly packets: readonly number[];
  readonly bytes: readonly number[];
}

export class ReceiverCounts {
  readonly #map: BpfMap;
  readonly #ifindexes: readonly number[];
  #before: Arrived;

  constructor(map: BpfMap, ifindexes: readonly number[]) {
    this.#map = map;
    this.#ifindexes = ifindexes;
    this.#before = this.#read();
  }

  /** Since the last call. Resolves when `expected` packets have come, or nothing more does. */
  async arrived(expected: number): Promise<Arrived> {
    let now = this.#since();
    for (let quiet = 0; sum(now.packets) < expected && quiet < SETTLE_STEPS; quiet++) {
      const seen = sum(now.packets);
      await pause(SETTLE_STEP_MS);
      now = this.#since();
      if (sum(now.packets) > seen) quiet = 0;
    }
    this.#before = this.#read();
    return now;
  }

  #since(): Arrived {
    const now = this.#read();
    return { packets: minus(now.packets, this.#before.packets), bytes: minus(now.bytes, this.#before.bytes) };
  }

  #read(): Arrived {
    const counts = this.#ifindexes.map((ifindex) => sumOverCpus(this.#map.lookup(u32Key(ifindex))));
    return { packets: counts.map(([packets]) => packets), bytes: counts.map(([, bytes]) => bytes) };
  }
}

function sumOverCpus(value: Uint8Array | undefined): readonly [packets: number, bytes: number] {
  if (value === undefined) throw new Error('a receiver has an interface index beyond the counters');
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  let [packets, bytes] = [0, 0];
  for (let at = 0; at < value.byteLength; at += COUNT_BYTES) {
    packets += Number(view.getBigUint64(at, LITTLE_ENDIAN));
    bytes += Number(view.getBigUint64(at + 8, LITTLE_ENDIAN));
  }
  return [packets, bytes];
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function minus(a: readonly number[], b: readonly number[]): readonly number[] {
  return a.map((value, i) => value - (b[i] ?? 0));
}
