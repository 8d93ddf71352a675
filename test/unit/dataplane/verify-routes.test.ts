/** Routes and their index after somebody else has written to them: put right, counted, and nothing else touched. */
import fc from 'fast-check';
import { CounterSlots } from '../../../control/dataplane/counter-slots';
import { GroupPool } from '../../../control/dataplane/group-pool';
import { InstalledAbi } from '../../../control/dataplane/installed-abi';
import { MemberTable } from '../../../control/dataplane/member-table';
import type { PrefixRoutes } from '../../../control/dataplane/prefix-routes';
import { indexBuckets, RouteIndex } from '../../../control/dataplane/route-index';
import { RouteWords } from '../../../control/dataplane/route-words';
import { RouteTable } from '../../../control/dataplane/routes';
import { ThresholdTable } from '../../../control/dataplane/threshold-table';
import { RouteVerifier } from '../../../control/dataplane/verify-routes';
import type { RouteChange } from '../../../control/mrib/route';
import { abi, btf, FakeMap, nameOf } from './fakes';

const G = 0xef010101;
const LIMIT = 300;
const NOTHING = { route: 0, index: 0 };

function world(routeCount = 100) {
  const kernel = new FakeMap();
  const memory = new BigUint64Array(indexBuckets(LIMIT) * abi.routeIndex.bucketWords);
  const index = new RouteIndex(abi.routeIndex, memory);
  const pool = new GroupPool(4, [4], { fill: () => undefined, clear: () => undefined });
  pool.add(4, [0, 1, 2, 3]);
  pool.complete();
  const words = new RouteWords(LIMIT);
  const routes = new RouteTable(abi, {
    map: kernel.map, index, words, groups: pool, limit: LIMIT,
    thresholds: new ThresholdTable(new FakeMap().map),
    ranges: {} as PrefixRoutes,
    slots: new CounterSlots(LIMIT, () => undefined),
    members: new MemberTable(abi, new FakeMap().map),
    tcPorts: new Set(), vlanPorts: new Set(),
    onInstalled: () => undefined, onRemoved: () => undefined,
  });
  const found = { ...NOTHING };
  const verifier = new RouteVerifier({
    map: kernel.map, abi: new InstalledAbi(btf), routes, words, index, nowMs: () => 0,
    note: (kind, count) => (found[kind as keyof typeof found] += count),
  });
  routes.apply(Array.from({ length: routeCount }, (_, i) => set(i + 1)), 0);
  const intact = { entries: new Map(kernel.entries), memory: memory.slice() };
  /** Resolves with what was found. */
  const verify = async (): Promise<typeof NOTHING> => {
    Object.assign(found, NOTHING);
    await verifier.verify();
    return { ...found };
  };
  const expectIntact = (): void => {
    expect(new Map(kernel.entries)).toEqual(intact.entries);
    expect(keysAndRoutes(memory)).toEqual(keysAndRoutes(intact.memory));
  };
  return { kernel, memory, index, words, routes, verify, expectIntact };
}

const set = (source: number): RouteChange => ({ kind: 'set', route: { source, group: G, incoming: 9, outgoing: [1] } });
const keyOf = (source: number): string => nameOf(abi.routeKey(source, G));
const { bucketWords, firstKey, firstRoute, slots } = abi.routeIndex;

/** What an index holds, wherever in its bucket. */
function keysAndRoutes(memory: BigUint64Array): readonly string[] {
  const held: string[] = [];
  for (let bucket = 0; bucket < memory.length; bucket += bucketWords) {
    for (let i = 0; i < slots; i++) {
      const key = memory[bucket + firstKey + i];
      if (key !== 0n) held.push(`${bucket} ${key}: ${memory[bucket + firstRoute + i]}`);
    }
  }
  return held.sort();
}

test('where nothing was changed nothing is found, and no route is looked at one by one', async () => {
  const { routes, verify, expectIntact } = world();
  const looks = jest.spyOn(routes, 'entry');
  expect(await verify()).toEqual(NOTHING);
  expect(looks).not.toHaveBeenCalled();
  expectIntact();
});

test('a route whose words are not known is looked at once, and known from then on', async () => {
  const { routes, words, verify } = world();
  for (let counter = 0; counter < 100; counter++) words.forget(counter);
  const looks = jest.spyOn(routes, 'entry');
  expect(await verify()).toEqual(NOTHING);
  expect(looks).toHaveBeenCalledTimes(100);
  expect(await verify()).toEqual(NOTHING);
  expect(looks).toHaveBeenCalledTimes(100);
});

test('a stranger with the counter and all the words of a route is one all the same', async () => {
  const { kernel, verify, expectIntact } = world();
  kernel.entries.set(keyOf(999), kernel.entries.get(keyOf(7)) ?? new Uint8Array());
  expect(await verify()).toEqual({ route: 1, index: 0 });
  expectIntact();
});

test('two routes that have changed places', async () => {
  const { kernel, verify, expectIntact } = world();
  const [seven, eight] = [kernel.entries.get(keyOf(7)), kernel.entries.get(keyOf(8))];
  if (seven === undefined || eight === undefined) throw new Error('no such routes');
  kernel.entries.set(keyOf(7), eight);
  kernel.entries.set(keyOf(8), seven);
  expect(await verify()).toEqual({ route: 2, index: 0 });
  expectIntact();
});

test('what is written and removed while the table is read is as it should be', async () => {
  const { kernel, routes, verify } = world();
  const verified = verify();
  routes.apply([{ kind: 'remove', key: { source: 7, group: G } }], 0);
  routes.apply([set(200), { kind: 'set', route: { source: 8, group: G, incoming: 9, outgoing: [1, 2] } }], 0);
  const now = new Map(kernel.entries);
  expect(await verified).toEqual(NOTHING);
  expect(new Map(kernel.entries)).toEqual(now);
  expect(await verify()).toEqual(NOTHING);
});

test('any damage is put right at once, and the next look finds none', async () => {
  const source = fc.integer({ min: 1, max: 120 });
  const value = fc.uint8Array({ minLength: abi.routeBytes, maxLength: abi.routeBytes });
  const write = fc.record({ kind: fc.constant('write' as const), source, value });
  const remove = fc.record({ kind: fc.constant('remove' as const), source });
  const index = fc.record({ kind: fc.constant('index' as const), place: fc.nat(), word: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(write, remove, index), { maxLength: 30 }), async (damages) => {
      const { kernel, memory, verify, expectIntact } = world();
      for (const damage of damages) {
        if (damage.kind === 'write') kernel.entries.set(keyOf(damage.source), damage.value);
        else if (damage.kind === 'remove') kernel.entries.delete(keyOf(damage.source));
        else memory[damage.place % memory.length] = damage.word;
      }
      await verify();
      expectIntact();
      expect(await verify()).toEqual(NOTHING);
    }),
  );
});
