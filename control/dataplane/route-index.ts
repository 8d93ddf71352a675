/**
 * Where the programs look for a route first: buckets of a few routes, each a cache line, written word by word into the memory of the
 * map. The table of all routes stays the truth: what finds no room here is found there. Knows words and when a slot may be used again,
 * not what a route stands for.
 *
 * A packet may be between reading a key and reading its route. So a new route is in its slot before its key (and, that no processor
 * gets the order wrong, the table of all routes is written in between), and a slot that was cleared rests before it is used again.
 */
import { GROUP_REST_MS } from './group-pool';
import type { RouteKey } from '../mrib/route';
import { fromNetworkOrder } from './layout';
import type { RouteWords } from './route-words';

/** Offsets in 64-bit words, within a bucket. Keys follow each other, and so do routes. */
export interface IndexLayout {
  readonly slots: number;
  readonly bucketWords: number;
  readonly firstKey: number;
  readonly firstRoute: number;
  /** In 32-bit halves of a key. */
  readonly sourceHalf: 0 | 1;
  readonly groupHalf: 0 | 1;
  /** Of the hash. */
  readonly firstFactor: number;
  readonly secondFactor: number;
  readonly fold: number;
}

/** No room: the route is in the table of all routes only. */
export const NO_PLACE = -1;
/** Of an empty slot: no route has group 0.0.0.0. */
const NO_KEY = 0n;
const HASH_BITS = 32;

/** A bucket for every two routes: of four slots, seldom too few. One bucket would need a hash without bits. */
export function indexBuckets(routes: number): number {
  return 2 ** Math.max(1, Math.ceil(Math.log2(routes / 2)));
}

/** Bits of the hash that do not name a bucket. */
export function indexShift(buckets: number): number {
  return HASH_BITS - Math.log2(buckets);
}

/** As the programs do it. */
function indexHash({ firstFactor, secondFactor, fold }: IndexLayout, { source, group }: RouteKey): number {
  const hash = Math.imul(source ^ Math.imul(group, secondFactor), firstFactor);
  return Math.imul(hash ^ (hash >>> fold), secondFactor);
}

export class RouteIndex {
  readonly #layout: IndexLayout;
  readonly #memory: BigUint64Array;
  /** The same: reading a 64-bit word makes an object of it. */
  readonly #halves: Uint32Array;
  readonly #shift: number;
  /** Keys of routes that found no room. */
  readonly #homeless = new Set<bigint>();
  /** Places taken by routes that are not in the table of all routes yet. */
  readonly #reserved = new Set<number>();
  /** Until when a place rests, in the order in which the rests end. */
  readonly #resting = new Map<number, number>();

  constructor(layout: IndexLayout, memory: BigUint64Array) {
    this.#layout = layout;
    this.#memory = memory;
    this.#halves = new Uint32Array(memory.buffer, memory.byteOffset, 2 * memory.length);
    this.#shift = indexShift(memory.length / layout.bucketWords);
  }

  /** A route that the table of all routes has had since before this controller. */
  adopt(route: RouteKey, key: bigint, value: bigint, nowMs: number): void {
    this.publish(this.reserve(route, key, value, nowMs), key, value);
  }

  /** Before the table of all routes is written: a place for this route, invisible as yet, or the one it has. */
  reserve(route: RouteKey, key: bigint, value: bigint, nowMs: number): number {
    const first = this.#firstPlace(route);
    const known = this.#find(first, key);
    if (known !== NO_PLACE) return known;
    this.#endRests(nowMs);
    const free = this.#findFree(first);
    if (free === NO_PLACE) return NO_PLACE;
    this.#reserved.add(free);
    this.#store(this.#routeWord(free), value);
    return free;
  }

  /** The table of all routes has it: packets meet it here from now on. */
  publish(place: number, key: bigint, value: bigint): void {
    if (place === NO_PLACE) return void this.#homeless.add(key);
    this.#homeless.delete(key);
    this.#store(this.#routeWord(place), value);
    if (this.#reserved.delete(place)) this.#store(place, key);
  }

  /** The table of all routes has refused it. */
  abandon(place: number): void {
    this.#reserved.delete(place);
  }

  /** Before it goes from the table of all routes. */
  remove(route: RouteKey, key: bigint, nowMs: number): void {
    const place = this.#find(this.#firstPlace(route), key);
    this.#homeless.delete(key);
    if (place === NO_PLACE) return;
    this.#store(place, NO_KEY);
    this.#resting.set(place, nowMs + GROUP_REST_MS);
  }

  /** Puts right what somebody else has written over. False when there was nothing to do. */
  repair(route: RouteKey, key: bigint, value: bigint, nowMs: number): boolean {
    const place = this.#find(this.#firstPlace(route), key);
    if (place === NO_PLACE) {
      if (this.#homeless.has(key)) return false;
      this.publish(this.reserve(route, key, value, nowMs), key, value);
      return true;
    }
    if (this.#memory[this.#routeWord(place)] === value) return false;
    this.#store(this.#routeWord(place), value);
    return true;
  }

  /** Whether it is found here as it should be. */
  holds(words: RouteWords, counter: number): boolean {
    const { slots, sourceHalf, groupHalf } = this.#layout;
    const route = { source: fromNetworkOrder(words.keyHalf(counter, sourceHalf)), group: fromNetworkOrder(words.keyHalf(counter, groupHalf)) };
    const first = this.#firstPlace(route);
    for (let place = first; place < first + slots; place++) {
      if (this.#halves[2 * place] !== words.keyHalf(counter, 0) || this.#halves[2 * place + 1] !== words.keyHalf(counter, 1)) continue;
      const word = 2 * this.#routeWord(place);
      return this.#halves[word] === words.valueHalf(counter, 0) && this.#halves[word + 1] === words.valueHalf(counter, 1);
    }
    return false;
  }

  /** Routes that found no room. */
  get homeless(): number {
    return this.#homeless.size;
  }

  /** Keys there are, in pieces with other things in between. */
  *countKeys(piece: number): Iterable<number> {
    const { bucketWords, firstKey, slots } = this.#layout;
    let [found, seen] = [0, 0];
    for (let bucket = firstKey; bucket < this.#memory.length; bucket += bucketWords) {
      for (let place = bucket; place < bucket + slots; place++) if (((this.#halves[2 * place] ?? 0) | (this.#halves[2 * place + 1] ?? 0)) !== 0) found++;
      if (++seen % piece > 0) continue;
      yield found;
      found = 0;
    }
    yield found;
  }

  /** Takes keys out that are no route's, in pieces with other things in between; each piece tells how many. */
  *removeStrangers(isRoute: (key: bigint) => boolean, piece: number): Iterable<number> {
    const { bucketWords, firstKey, slots } = this.#layout;
    let [found, seen] = [0, 0];
    for (let bucket = firstKey; bucket < this.#memory.length; bucket += bucketWords) {
      for (let place = bucket; place < bucket + slots; place++) {
        const key = this.#memory[place] ?? NO_KEY;
        if (key === NO_KEY || isRoute(key)) continue;
        this.#store(place, NO_KEY);
        found++;
      }
      if (++seen % piece > 0) continue;
      yield found;
      found = 0;
    }
    yield found;
  }

  /** A place is the number of the word that holds the key. */
  #firstPlace(route: RouteKey): number {
    const { bucketWords, firstKey } = this.#layout;
    return (indexHash(this.#layout, route) >>> this.#shift) * bucketWords + firstKey;
  }

  #routeWord(place: number): number {
    return place - this.#layout.firstKey + this.#layout.firstRoute;
  }

  #find(first: number, key: bigint): number {
    for (let place = first; place < first + this.#layout.slots; place++) if (this.#memory[place] === key) return place;
    return NO_PLACE;
  }

  #findFree(first: number): number {
    for (let place = first; place < first + this.#layout.slots; place++) {
      if (this.#memory[place] === NO_KEY && !this.#reserved.has(place) && !this.#resting.has(place)) return place;
    }
    return NO_PLACE;
  }

  #endRests(nowMs: number): void {
    for (const [place, untilMs] of this.#resting) {
      if (untilMs > nowMs) return;
      this.#resting.delete(place);
    }
  }

  #store(word: number, value: bigint): void {
    Atomics.store(this.#memory, word, value);
  }
}
