/** Counters of one read: words by slot, and objects only of what is asked for. */
import { BpfCounterSnapshot, type SnapshotParts } from '../../../control/dataplane/counter-snapshot';
import { NO_COUNTERS, ROUTE_COUNTER_FIELDS, type CounterColumns, type RouteCounters } from '../../../control/dataplane/api';
import { routeName } from '../../../control/mrib/route';
import type { RouteEntry } from '../../../control/dataplane/routes';
import { abi, btf, entry } from './fakes';

const WORDS = abi.packetsWord.stride;
const FAULTS = btf.structs['xm_route_faults']?.members ?? [];

/** Accepted packets by slot; every other word is its own number. */
function words(...packets: readonly (number | bigint)[]): BigUint64Array {
  const made = BigUint64Array.from({ length: packets.length * WORDS }, (_, at) => BigInt(at % WORDS) + 1n);
  packets.forEach((count, slot) => (made[slot * WORDS + abi.packetsWord.first] = BigInt(count)));
  return made;
}

class Table {
  readonly #entries = new Map<string, RouteEntry>();

  add(...entries: readonly RouteEntry[]): this {
    for (const one of entries) this.#entries.set(routeName(one.route.source, one.route.group), one);
    return this;
  }

  remove(one: RouteEntry): void {
    this.#entries.delete(routeName(one.route.source, one.route.group));
  }

  entry(name: string): RouteEntry | undefined {
    return this.#entries.get(name);
  }

  entries(): IterableIterator<[string, RouteEntry]> {
    return this.#entries.entries();
  }

  entryOfCounter(counter: number): RouteEntry | undefined {
    return [...this.#entries.values()].find((one) => one.counter === counter);
  }
}

const UNMOVED: SnapshotParts['handover'] = { corrected: (_entry, counted) => counted, hasMoved: () => false };

function snapshot(routes: Table, routeWords: BigUint64Array, serial = Infinity, handover = UNMOVED): BpfCounterSnapshot {
  const vportWords = new BigUint64Array(2 * abi.vportCounterWords).fill(7n);
  const slots = routeWords.length / WORDS;
  const faultWords = BigUint64Array.from({ length: slots * FAULTS.length }, (_, at) => 100n + BigInt(at));
  return new BpfCounterSnapshot({ abi, routes, handover, serial, routeWords, faultWords, vportWords });
}

const nameOf = ({ route }: RouteEntry): string => routeName(route.source, route.group);
const [A, B, C] = [entry(0, 1), entry(1, 2), entry(2, 3)];
const active = (now: BpfCounterSnapshot, before: Parameters<typeof now.activeSince>[0]): number[] =>
  [...now.activeSince(before)].flat().map(({ source }) => source);

test('each member is read from its own place in the slot of the route', () => {
  const read = snapshot(new Table().add(A, B), words(5, 9));
  const members = btf.structs['xm_route_counters']?.members ?? [];
  const place = (name: string): bigint => BigInt((members.find((member) => member.name === name)?.offset ?? NaN) / 8) + 1n;
  expect(read.route(nameOf(B))).toMatchObject({ packets: 9n, bytes: place('bytes'), expected: place('expected'), wrongInterface: place('wrong_interface') });
  const fault = (name: string): bigint => 100n + BigInt(FAULTS.length + FAULTS.findIndex((member) => member.name === name));
  expect(read.route(nameOf(B))).toMatchObject({ redirectErrors: fault('redirect_errors'), ttlDrops: fault('ttl_drops') });
});

test('a route that came after the read has no counters, though its slot had', () => {
  const later = { ...B, serial: 10 };
  const read = snapshot(new Table().add(A, later), words(5, 9), 9);
  expect(read.route(nameOf(later))).toBeUndefined();
  expect([...read.routeNames()]).toEqual([nameOf(A)]);
});

test('a route that went after the read has none either', () => {
  const routes = new Table().add(A, B);
  const read = snapshot(routes, words(5, 9));
  routes.remove(B);
  expect([read.route(nameOf(A))?.packets, read.route(nameOf(B))]).toEqual([5n, undefined]);
});

test('vport 0 is none, and there are no more than were read', () => {
  const read = snapshot(new Table(), words());
  expect([read.vport(0), read.vport(1)?.rxPackets, read.vport(2), read.vport(0.5)]).toEqual([undefined, 7n, undefined, undefined]);
});

test('active are the routes whose packets have changed, in the low half of the word or the high one', () => {
  const routes = new Table().add(A, B, C);
  expect(active(snapshot(routes, words(5, 9, 2n ** 40n)), snapshot(routes, words(5, 8, 0)))).toEqual([2, 3]);
  expect(active(snapshot(routes, words(1, 1, 1)), snapshot(routes, words(1, 1, 1)))).toEqual([]);
});

test('what the earlier read did not reach counts from zero', () => {
  const routes = new Table().add(A, B, C);
  expect(active(snapshot(routes, words(5, 9, 0)), snapshot(routes, words(5)))).toEqual([2]);
  expect(active(snapshot(routes, words(5, 0, 1)), NO_COUNTERS)).toEqual([1, 3]);
});

test('a slot without a route is nobody', () => {
  expect(active(snapshot(new Table().add(A), words(1, 1)), NO_COUNTERS)).toEqual([1]);
});

test('thousands of active routes come in pieces', () => {
  const entries = Array.from({ length: 2500 }, (_, i) => entry(i, i + 1));
  const byCounter = { entry: () => undefined, entries: () => [][Symbol.iterator](), entryOfCounter: (i: number) => entries[i] } as unknown as Table;
  const pieces = [...snapshot(byCounter, words(...entries.map(() => 1))).activeSince(NO_COUNTERS)];
  expect(pieces.map(({ length }) => length)).toEqual([1024, 1024, 452]);
});

describe('what has changed, in columns', () => {
  const rows = (pieces: Iterable<CounterColumns>): Map<string, (bigint | undefined)[]> =>
    new Map([...pieces].flatMap(({ keys, columns }) => keys.map((key, i) => [routeName(key.source, key.group), columns.map((column) => column[i])])));
  const read = (one: BpfCounterSnapshot, route: RouteEntry): (bigint | undefined)[] => ROUTE_COUNTER_FIELDS.map((field) => one.route(nameOf(route))?.[field]);

  test('at first all routes, each with the counters that it is asked for one by one', () => {
    const now = snapshot(new Table().add(A, B, C), words(5, 2n ** 40n + 1n, 9));
    expect(rows(now.changedSince(undefined))).toEqual(new Map([A, B, C].map((one) => [nameOf(one), read(now, one)])));
  });

  test('then those of which any word has, and those that are new', () => {
    const table = new Table().add(A, B);
    const earlier = snapshot(table, words(5, 7));
    const later = words(5, 7);
    later[WORDS + WORDS - 1] = 99n;
    expect([...rows(snapshot(table, later).changedSince(earlier)).keys()]).toEqual([nameOf(B)]);
    expect([...rows(snapshot(table, words(5, 7)).changedSince(earlier)).keys()]).toEqual([]);
    const fresh = snapshot(table.add({ ...C, serial: 50 }), words(5, 7, 3), 60);
    expect([...rows(fresh.changedSince(snapshot(table, words(5, 7), 40))).keys()]).toEqual([nameOf(C)]);
  });

  test('with what was moved between (*,G) and (S,G)', () => {
    const moved = { corrected: (_: RouteEntry, counted: RouteCounters) => ({ ...counted, packets: counted.packets + 100n }), hasMoved: (counter: number) => counter === A.counter };
    const now = snapshot(new Table().add(A, B), words(5, 7), Infinity, moved);
    expect([...rows(now.changedSince(undefined)).values()].map(([packets]) => packets)).toEqual([105n, 7n]);
  });
});
