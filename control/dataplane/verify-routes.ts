/**
 * Compares the routes that are installed, and the index in front of them, with what should be there. What is as it should be costs a look
 * at some words of memory; the routes themselves are looked at where something differs.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { isRange, nameOf } from '../mrib/route';
import type { RepairKind } from './api';
import type { InstalledAbi } from './installed-abi';
import type { RouteIndex } from './route-index';
import { halvesOf, type RouteWords } from './route-words';
import type { RouteEntry, RouteTable } from './routes';

/** In one piece, about a millisecond: so many routes by their words, one by one, and buckets of the index. */
const WORDS = 32_768;
const PIECE = 1024;
const BUCKETS = 8192;

export interface VerifiedRoutes {
  readonly map: Pick<BpfMap, 'lookupBatch'>;
  readonly abi: InstalledAbi;
  readonly routes: RouteTable;
  readonly words: RouteWords;
  readonly index: RouteIndex;
  readonly nowMs: () => number;
  readonly note: (kind: RepairKind, count: number) => void;
}

/** What a reading of the table has found. */
interface Reading {
  readonly keys: DataView;
  readonly keyHalves: Uint32Array;
  readonly valueHalves: Uint32Array;
  readonly values: BigUint64Array;
  readonly count: number;
}

export class RouteVerifier {
  readonly #parts: VerifiedRoutes;

  constructor(parts: VerifiedRoutes) {
    this.#parts = parts;
  }

  async verify(): Promise<void> {
    const { routes, map } = this.#parts;
    routes.beginWatch();
    try {
      const { keys, values, count } = await map.lookupBatch();
      const found = await this.#compare({
        keys: new DataView(keys.buffer, keys.byteOffset, keys.byteLength),
        keyHalves: halvesOf(keys),
        valueHalves: halvesOf(values),
        values: new BigUint64Array(values.buffer, values.byteOffset, count),
        count,
      });
      await this.#repairMissing(found);
      await this.#repairIndex();
    } finally {
      routes.endWatch();
    }
  }

  /** Resolves with a mark for the counter of each route that is there. */
  async #compare(reading: Reading): Promise<Uint8Array> {
    const { abi, words, routes } = this.#parts;
    const found = new Uint8Array(routes.counterSpan);
    let work = 0;
    for (let i = 0; i < reading.count; i++) {
      const counter = abi.readCounter(reading.valueHalves, i);
      if (words.holds(counter, reading.keyHalves, reading.valueHalves, i)) {
        found[counter] = 1;
        work++;
      } else {
        const known = this.#compareOne(reading, i);
        if (known !== undefined) found[known] = 1;
        work += WORDS / PIECE;
      }
      if (work < WORDS) continue;
      work = 0;
      await nextTurn();
    }
    return found;
  }

  /** Returns the counter of the route, put right where it has to be; undefined: there should be none. */
  #compareOne({ keys, keyHalves, valueHalves, values }: Reading, i: number): number | undefined {
    const { abi, routes, words, nowMs, note } = this.#parts;
    const key = abi.readRouteKey(keys, i);
    const name = nameOf(key);
    const entry = routes.entry(name);
    if (routes.wasTouched(name)) return entry?.counter;
    if (entry === undefined) {
      routes.removeStranger(key, nowMs());
      note('route', 1);
      return undefined;
    }
    // A route that was there before this controller: from now on its words are known.
    if (routes.wordsOf(entry).value === values[i]) words.set(entry.counter, keyHalves, valueHalves, i);
    else {
      routes.rewrite([entry], nowMs());
      note('route', 1);
    }
    return entry.counter;
  }

  async #repairMissing(found: Uint8Array): Promise<void> {
    const { routes, nowMs, note } = this.#parts;
    const missing: RouteEntry[] = [];
    for (let counter = 0; counter < found.length; counter++) {
      const entry = found[counter] === 1 ? undefined : routes.entryOfCounter(counter);
      if (entry !== undefined && !isRange(entry.route) && !routes.wasTouched(nameOf(entry.route))) missing.push(entry);
    }
    for (let from = 0; from < missing.length; from += PIECE) {
      await nextTurn();
      const piece = missing.slice(from, from + PIECE).filter(({ route }) => !routes.wasTouched(nameOf(route)));
      routes.rewrite(piece, nowMs());
      note('route', piece.length);
    }
  }

  async #repairIndex(): Promise<void> {
    const { routes, words, index } = this.#parts;
    let [exact, work] = [0, 0];
    for (let counter = 0; counter < routes.counterSpan; counter++) {
      if (!words.isKnown(counter)) continue;
      exact++;
      if (index.holds(words, counter)) work++;
      else work += this.#repairInIndex(routes.entryOfCounter(counter));
      // Half as many as in a table that is read in order.
      if (work < WORDS / 2) continue;
      work = 0;
      await nextTurn();
    }
    let keys = 0;
    for (const count of index.countKeys(BUCKETS)) {
      keys += count;
      await nextTurn();
    }
    // Each route has one key. There may also be more because routes have come since: looking costs time and nothing else.
    if (keys > exact - index.homeless) await this.#removeStrangers();
  }

  /** Returns what it has cost, in looks at words. */
  #repairInIndex(entry: RouteEntry | undefined): number {
    const { routes, index, nowMs, note } = this.#parts;
    if (entry === undefined || routes.wasTouched(nameOf(entry.route))) return 1;
    const { key, value } = routes.wordsOf(entry);
    if (index.repair(entry.route, key, value, nowMs())) note('index', 1);
    return WORDS / PIECE;
  }

  async #removeStrangers(): Promise<void> {
    const { routes, index, note } = this.#parts;
    const isRoute = (key: bigint): boolean => routes.entry(nameOf(this.#keyOf(key))) !== undefined;
    for (const strangers of index.removeStrangers(isRoute, PIECE)) {
      note('index', strangers);
      await nextTurn();
    }
  }

  #keyOf(word: bigint): ReturnType<InstalledAbi['readRouteKey']> {
    return this.#parts.abi.readRouteKey(new DataView(BigUint64Array.of(word).buffer), 0);
  }
}
