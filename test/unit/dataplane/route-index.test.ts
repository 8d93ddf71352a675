/** The index of routes, over memory as the map has it: what a packet can see of it at any moment. */
import fc from 'fast-check';
import { GROUP_REST_MS } from '../../../control/dataplane/group-pool';
import { indexBuckets, NO_PLACE, RouteIndex } from '../../../control/dataplane/route-index';
import { abi } from './fakes';

const G = 0xef010101;
const layout = abi.routeIndex;

/** What the programs read, wherever it is; that they look in the right place test/bpf shows. Undefined: not there. */
function look(memory: BigUint64Array, source: number): bigint | undefined {
  const place = memory.indexOf(keyOf(source));
  return place < 0 ? undefined : memory[place - layout.firstKey + layout.firstRoute];
}

function keyOf(source: number): bigint {
  return new BigUint64Array(abi.routeKey(source, G).buffer)[0] ?? 0n;
}

function index({ routes = 16 } = {}) {
  const memory = new BigUint64Array(indexBuckets(routes) * layout.bucketWords);
  const made = new RouteIndex(layout, memory);
  return {
    memory,
    made,
    reserve: (source: number, value: bigint, nowMs = 0) => made.reserve({ source, group: G }, keyOf(source), value, nowMs),
    publish: (place: number, source: number, value: bigint) => made.publish(place, keyOf(source), value),
    set(source: number, value: bigint, nowMs = 0): number {
      const place = made.reserve({ source, group: G }, keyOf(source), value, nowMs);
      made.publish(place, keyOf(source), value);
      return place;
    },
    remove: (source: number, nowMs = 0) => made.remove({ source, group: G }, keyOf(source), nowMs),
    find: (source: number) => look(memory, source),
  };
}

/** Sources that share a bucket of the smallest index with the first of them. */
function neighbours(count: number): number[] {
  const { memory, made } = index({ routes: 2 });
  const halves = [...Array(64).keys()].map((i) => i + 1).map((source) => ({ source, place: made.reserve({ source, group: G }, keyOf(source), 1n, 0) }));
  const half = memory.length / 2;
  // The first four of each bucket have shown where they belong; the others found no room.
  const low = halves.filter(({ place }) => place !== NO_PLACE && place < half).map(({ source }) => source);
  if (low.length < count) throw new Error('too few');
  return low.slice(0, count);
}

test('a route shows when it is published, not before', () => {
  const { reserve, publish, find } = index();
  const place = reserve(7, 70n);
  expect(find(7)).toBeUndefined();
  publish(place, 7, 70n);
  expect(find(7)).toBe(70n);
});

test('its value is in place before its key', () => {
  const { reserve, memory } = index();
  const place = reserve(7, 70n);
  expect([memory[place], memory[place - layout.firstKey + layout.firstRoute]]).toEqual([0n, 70n]);
});

test('a changed route is the old one until the table of all routes has the new one', () => {
  const { set, reserve, publish, find } = index();
  const place = set(7, 70n);
  expect(reserve(7, 71n)).toBe(place);
  expect(find(7)).toBe(70n);
  publish(place, 7, 71n);
  expect(find(7)).toBe(71n);
});

test('what the table of all routes refuses leaves its place to others, or stays as it was', () => {
  const { made, set, reserve, find } = index({ routes: 2 });
  const sources = neighbours(4);
  for (const source of sources) made.abandon(reserve(source, 1n));
  const places = sources.map((source) => set(source, BigInt(source)));
  expect(new Set(places).size).toBe(4);
  made.abandon(reserve(sources[0] ?? 0, 99n));
  expect(sources.map(find)).toEqual(sources.map(BigInt));
});

test('two that come together never get one place', () => {
  const { reserve } = index({ routes: 2 });
  const places = neighbours(4).map((source) => reserve(source, 1n));
  expect(new Set(places).size).toBe(4);
});

test('what finds its bucket full has no place, and changes nothing', () => {
  const { set, find } = index({ routes: 2 });
  const placed = Array.from({ length: 64 }, (_, i) => ({ source: i + 1, place: set(i + 1, BigInt(i + 1)) }));
  const inside = placed.filter(({ place }) => place !== NO_PLACE);
  expect(inside).toHaveLength(2 * layout.slots);
  for (const { source, place } of placed) expect(find(source)).toBe(place === NO_PLACE ? undefined : BigInt(source));
});

test('a removed route is gone at once; its place is used again when no packet can be in it any more', () => {
  const { set, remove, find, reserve } = index({ routes: 2 });
  const sources = neighbours(4);
  for (const source of sources) set(source, 1n);
  const [first = 0] = sources;
  remove(first, 500);
  expect(find(first)).toBeUndefined();
  expect(reserve(first, 2n, 500 + GROUP_REST_MS - 1)).toBe(NO_PLACE);
  expect(reserve(first, 2n, 500 + GROUP_REST_MS)).not.toBe(NO_PLACE);
});

test('a route that is removed without having been there is nothing', () => {
  const { remove, memory } = index();
  remove(7);
  expect(memory.every((word) => word === 0n)).toBe(true);
});

test('any history: what is found is what was set last', () => {
  const step = fc.record({ source: fc.integer({ min: 1, max: 12 }), value: fc.option(fc.bigInt(1n, 2n ** 64n - 1n)), waitMs: fc.constantFrom(0, 10, GROUP_REST_MS) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { set, remove, find } = index({ routes: 8 });
      const wanted = new Map<number, bigint>();
      let nowMs = 0;
      for (const { source, value, waitMs } of steps) {
        nowMs += waitMs;
        if (value === null) {
          remove(source, nowMs);
          wanted.delete(source);
        } else {
          set(source, value, nowMs);
          wanted.set(source, value);
        }
        for (let each = 1; each <= 12; each++) expect([undefined, wanted.get(each)]).toContain(find(each));
      }
    }),
  );
});

test.each([
  { name: 'sources in a row', of: (i: number) => ({ source: 0x0a800000 + i, group: G }) },
  { name: 'groups in a row', of: (i: number) => ({ source: 0x0a010101, group: 0xef000000 + i }) },
  { name: 'any source', of: (i: number) => ({ source: 0, group: 0xef000000 + i }) },
  { name: 'sixteen sources in subnets of their own', of: (i: number) => ({ source: 0x0a000001 + (i % 16) * 0x10000, group: 0xe8000100 + (i >> 4) }) },
  { name: 'a subnet of sources for each group', of: (i: number) => ({ source: 0x0a010100 + (i % 250), group: 0xef010100 + Math.floor(i / 250) }) },
])('of a full table nearly all routes have a place: $name', ({ of }) => {
  const routes = 16_384;
  const { made } = index({ routes });
  let outside = 0;
  for (let i = 0; i < routes; i++) {
    const key = BigInt(i + 1);
    const place = made.reserve(of(i), key, 1n, 0);
    if (place === NO_PLACE) outside++;
    made.publish(place, key, 1n);
  }
  expect(outside / routes).toBeLessThan(0.05);
});
