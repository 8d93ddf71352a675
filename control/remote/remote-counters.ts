/**
 * Counters of a data plane in another process. A reading tells of the routes that have changed since the one before; the words of all of
 * them are kept by place, and each snapshot is a copy of them. A route's name has one place as long as it is there.
 */
import type { xmcast } from '#proto';
import { fromWire } from '../api/u64';
import type { CounterSnapshot, RouteCounters, VportCounters } from '../dataplane/api';
import { nameOf, type RouteKey, type VportId } from '../mrib/route';
import { COLUMNS, type CounterPiece } from './counter-codec';
import { readKey } from './wire-route';

const WORDS = COLUMNS.length;
const PACKETS = COLUMNS.findIndex(([name]) => name === 'packets');
/** Keys in one piece of activeSince(). */
const PIECE = 1024;
const FIRST_PLACES = 256;
const HALVES_OF_A_WORD = 2;
const NOTHING = new Uint32Array(0);

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
  readonly words: BigUint64Array;
  readonly vports: ReadonlyMap<VportId, VportCounters>;
}

export class RemoteCounters {
  readonly #places = new Map<string, Place>();
  readonly #free: number[] = [];
  #used = 0;
  #words = new BigUint64Array(FIRST_PLACES * WORDS);
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
    for (const [i, wire] of (message.keys ?? []).entries()) {
      const key = readKey(wire);
      if (typeof key === 'string') continue;
      const at = this.#place(nameOf(key), key) * WORDS;
      for (let word = 0; word < WORDS; word++) this.#words[at + word] = columns[word]?.[i] ?? 0n;
    }
    if (message.end === true) this.#last = message;
  }

  finish(): CounterSnapshot {
    if (this.#isComplete) for (const [name, { seen }] of this.#places) if (seen !== this.#serial) this.removed(name);
    this.#reading = Number(fromWire(this.#last.reading));
    const vports = new Map((this.#last.ports ?? []).map((port) => [port.vport ?? 0, vportCounters(port)]));
    return new RemoteSnapshot({ places: this.#places, serial: this.#serial, words: this.#words.slice(0, this.#used * WORDS), vports });
  }

  /** The route is there no more. */
  removed(name: string): void {
    const place = this.#places.get(name);
    if (place === undefined) return;
    this.#places.delete(name);
    this.#words.fill(0n, place.at * WORDS, (place.at + 1) * WORDS);
    this.#free.push(place.at);
  }

  #place(name: string, key: RouteKey): number {
    const known = this.#places.get(name);
    if (known !== undefined) {
      known.seen = this.#serial;
      return known.at;
    }
    const at = this.#free.pop() ?? this.#used++;
    if ((at + 1) * WORDS > this.#words.length) {
      const larger = new BigUint64Array(2 * this.#words.length);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#places.set(name, { key, at, since: this.#serial, seen: this.#serial });
    return at;
  }
}

class RemoteSnapshot implements CounterSnapshot {
  readonly #reading: Reading;
  /** The words as two numbers each: comparing them makes no bigints. */
  readonly #halves: Uint32Array;

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#halves = new Uint32Array(reading.words.buffer);
  }

  route(name: string): RouteCounters | undefined {
    const place = this.#reading.places.get(name);
    if (place === undefined || place.since > this.#reading.serial) return undefined;
    const at = place.at * WORDS;
    return Object.fromEntries(COLUMNS.map(([field], word) => [field, this.#reading.words[at + word] ?? 0n])) as Record<keyof RouteCounters, bigint>;
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
    const low = HALVES_OF_A_WORD * (at * WORDS + PACKETS);
    const known = before === undefined || since > before.#reading.serial ? NOTHING : before.#halves;
    return this.#halves[low] !== (known[low] ?? 0) || this.#halves[low + 1] !== (known[low + 1] ?? 0);
  }
}

function vportCounters(port: xmcast.v1.VportCounters.$Properties): VportCounters {
  const all = (values: readonly (typeof port.rxPackets)[] | null | undefined): readonly bigint[] => (values ?? []).map(fromWire);
  return {
    rxPackets: fromWire(port.rxPackets),
    rxBytes: fromWire(port.rxBytes),
    resentPackets: fromWire(port.resentPackets),
    acceptedPackets: fromWire(port.acceptedPackets),
    txPackets: fromWire(port.txPackets),
    txBytes: fromWire(port.txBytes),
    drops: all(port.drops),
    punts: all(port.punts),
    puntsPoliced: all(port.puntsPoliced),
    puntsLost: all(port.puntsLost),
  };
}
