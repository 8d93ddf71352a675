/**
 * Readings of all counters for whoever asks over the wire: of routes only what has changed since a reading the caller has, in pieces: each
 * to be sent before the next one is asked for, with other things in between.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { xmcast } from '#proto';
import { toWire } from '../api/u64';
import type { LocalCounterSnapshot, LocalDataplane, VportCounters } from '../dataplane/api';
import type { VportId } from '../mrib/route';
import type { CounterPiece } from './counter-codec';
import { keyMessage } from './wire-route';

/** Each is held to be compared with: its words are some 100 bytes for a route. */
const KEPT_READINGS = 4;

export interface ReadingParts {
  readonly dataplane: LocalDataplane;
  /** Ports that are set or have been. */
  readonly vports: () => Iterable<VportId>;
  readonly usage: () => xmcast.v1.DataplaneUsage.$Properties;
}

export class CounterReadings {
  readonly #parts: ReadingParts;
  /** By number, oldest first. */
  readonly #kept = new Map<number, LocalCounterSnapshot>();
  #last = 0;

  constructor(parts: ReadingParts) {
    this.#parts = parts;
  }

  async *read(since: number): AsyncGenerator<CounterPiece> {
    const snapshot = await this.#parts.dataplane.readCounters();
    const earlier = this.#kept.get(since);
    const reading = this.#keep(snapshot);
    const head = { reading, complete: earlier === undefined };
    for (const { keys, columns } of snapshot.changedSince(earlier)) {
      await nextTurn();
      if (keys.length > 0) yield { message: { ...head, keys: keys.map(keyMessage) }, columns };
    }
    const ports = [...this.#parts.vports()].map((vport) => portMessage(vport, snapshot.vport(vport)));
    yield { message: { ...head, end: true, ports: ports.filter((port) => port !== undefined), usage: this.#parts.usage() }, columns: [] };
  }

  #keep(snapshot: LocalCounterSnapshot): number {
    this.#kept.set(++this.#last, snapshot);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_READINGS) break;
      this.#kept.delete(oldest);
    }
    return this.#last;
  }
}

function portMessage(vport: VportId, counters: VportCounters | undefined): xmcast.v1.VportCounters.$Properties | undefined {
  if (counters === undefined) return undefined;
  const { rxPackets, rxBytes, resentPackets, originatedPackets, acceptedPackets, txPackets, txBytes, drops, punts, puntsPoliced, puntsLost } = counters;
  return {
    vport,
    rxPackets: toWire(rxPackets),
    rxBytes: toWire(rxBytes),
    resentPackets: toWire(resentPackets),
    originatedPackets: toWire(originatedPackets),
    acceptedPackets: toWire(acceptedPackets),
    txPackets: toWire(txPackets),
    txBytes: toWire(txBytes),
    drops: drops.map(toWire),
    punts: punts.map(toWire),
    puntsPoliced: puntsPoliced.map(toWire),
    puntsLost: puntsLost.map(toWire),
  };
}
