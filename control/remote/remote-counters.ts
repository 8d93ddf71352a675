/**
 * Counters of a data plane in another process. A reading tells of the routes that have changed since the one before; the words of all of
 * them are kept by place, and a snapshot shares what has not changed since. A route's name has one place as long as it is there.
 */
import type { xmcast } from '#proto';
import { fromWire } from '../api/u64';
import { ROUTE_COUNTER_FIELDS, type CounterSnapshot, type RouteCounters, type VportCounters } from '../dataplane/api';
import { nameOf, type RouteKey, type VportId } from '../mrib/route';
import { ChunkedWords, halvesOf, type SharedWords } from './chunked-words';
import type { CounterPiece } from './counter-codec';
import { wireKey } from './wire-route';

const WORDS = ROUTE_COUNTER_FIELDS.length;
const PACKETS = ROUTE_COUNTER_FIELDS.indexOf('packets');
/** Keys in one piece of activeSince(). */
const PIECE = 1024;
const NOTHING: SharedWords = [];

interface Place {
  readonly key: RouteKey;
  readonly at: number;
  /** Of the reading that gave it the place: earlier snapshots have something else there. */
  readonly since: number;
  /** The last reading that told of it. */
  seen: number;
}

interface Reading {
  readonly places: ReadonlyMap<string, Place>;
  /** Counts readings here. */
  readonly serial: number;
  readonly words: ChunkedWords;
  readonly shared: SharedWords;
  readonly vports: ReadonlyMap<VportId, VportCounters>;
}

export class RemoteCounters {
  readonly #places = new Map<string, Place>();
  readonly #free: number[] = [];
  #used = 0;
  readonly #words = new ChunkedWords(WORDS);
  #serial = 0;
  /** The data plane's number of the last reading; 0: none. */
  #reading = 0;
  #isComplete = false;
  /** The last message of the last reading. */
  #last: xmcast.v1.ReadCountersResponse.$Properties = {};

  /** What to ask for. */
  get since(): number {
    return this.#reading;
  }

  /** The next reading is complete: nothing is known of another data plane, and now and then what is known is checked. */
  forget(): void {
    this.#reading = 0;
  }

  /** One reading at a time: begin(), its pieces in order as they come, finish(). */
  begin(): void {
    this.#serial++;
    this.#isComplete = false;
  }

  takePiece({ message, columns }: CounterPiece): void {
    this.#isComplete ||= message.complete === true;
    const halves = columns.map(halvesOf);
    for (const [i, wire] of (message.keys ?? []).entries()) {
      const key = wireKey(wire);
      this.#words.set(this.#place(nameOf(key), key), halves, i);
    }
    if (message.end === true) this.#last = message;
  }

  finish(): CounterSnapshot {
    if (this.#isComplete) for (const [name, { seen }] of this.#places) if (seen !== this.#serial) this.removed(name);
    this.#reading = Number(fromWire(this.#last.reading));
    const vports = new Map((this.#last.ports ?? []).map((port) => [port.vport ?? 0, vportCounters(port)]));
    return new RemoteSnapshot({ places: this.#places, serial: this.#serial, words: this.#words, shared: this.#words.snapshot(), vports });
  }

  /** The route is there no more. */
  removed(name: string): void {
    const place = this.#places.get(name);
    if (place === undefined) return;
    this.#places.delete(name);
    this.#words.clear(place.at);
    this.#free.push(place.at);
  }

  #place(name: string, key: RouteKey): number {
    const known = this.#places.get(name);
    if (known !== undefined) {
      known.seen = this.#serial;
      return known.at;
    }
    const at = this.#free.pop() ?? this.#used++;
    this.#places.set(name, { key, at, since: this.#serial, seen: this.#serial });
    return at;
  }
}

class RemoteSnapshot implements CounterSnapshot {
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  route(name: string): RouteCounters | undefined {
    const { places, serial, words, shared } = this.#reading;
    const place = places.get(name);
    if (place === undefined || place.since > serial) return undefined;
    return Object.fromEntries(ROUTE_COUNTER_FIELDS.map((field, word) => [field, words.word(shared, place.at, word)])) as Record<keyof RouteCounters, bigint>;
  }

  vport(vport: VportId): VportCounters | undefined {
    return this.#reading.vports.get(vport);
  }

  *routeNames(): Iterable<string> {
    for (const [name, { since }] of this.#reading.places) if (since <= this.#reading.serial) yield name;
  }

  *activeSince(earlier: CounterSnapshot): Iterable<readonly RouteKey[]> {
    const before = earlier instanceof RemoteSnapshot ? earlier : undefined;
    let keys: RouteKey[] = [];
    for (const { key, at, since } of this.#reading.places.values()) {
      if (since > this.#reading.serial || !this.#hasMoved(before, at, since)) continue;
      keys.push(key);
      if (keys.length < PIECE) continue;
      yield keys;
      keys = [];
    }
    if (keys.length > 0) yield keys;
  }

  #hasMoved(before: RemoteSnapshot | undefined, at: number, since: number): boolean {
    const known = before === undefined || since > before.#reading.serial ? NOTHING : before.#reading.shared;
    return !this.#reading.words.isSame(this.#reading.shared, known, at, PACKETS);
  }
}

function vportCounters(port: xmcast.v1.VportCounters.$Properties): VportCounters {
  const all = (values: readonly (typeof port.rxPackets)[] | null | undefined): readonly bigint[] => (values ?? []).map(fromWire);
  return {
    rxPackets: fromWire(port.rxPackets),
    rxBytes: fromWire(port.rxBytes),
    resentPackets: fromWire(port.resentPackets),
    originatedPackets: fromWire(port.originatedPackets),
    acceptedPackets: fromWire(port.acceptedPackets),
    txPackets: fromWire(port.txPackets),
    txBytes: fromWire(port.txBytes),
    drops: all(port.drops),
    punts: all(port.punts),
    puntsPoliced: all(port.puntsPoliced),
    puntsLost: all(port.puntsLost),
  };
}
