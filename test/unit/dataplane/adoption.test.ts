/** What a controller finds and makes its own: read back as it was written, every place taken that is in use, and none that is not. */
import fc from 'fast-check';
import { CounterSlots } from '../../../control/dataplane/counter-slots';
import { GroupPool, GROUP_REST_MS } from '../../../control/dataplane/group-pool';
import { InstalledAbi } from '../../../control/dataplane/installed-abi';
import { describeLayout, parseLayout } from '../../../control/dataplane/layout-record';
import { readU32, u32Keys } from '../../../control/dataplane/keys';
import { PrefixRoutes } from '../../../control/dataplane/prefix-routes';
import { indexBuckets, RouteIndex } from '../../../control/dataplane/route-index';
import type { Ipv4Prefix } from '../../../control/protocol/packet/address';
import { abi, btf, FakeMap } from './fakes';

const installed = new InstalledAbi(btf);
const SIZES = { routes: 100, counters: 164, groups: 50, ranges: 10, vlanSlots: 20 };

describe('the layout that is pinned with the maps', () => {
  test('tells a later version all it has to know', () => {
    const text = describeLayout(btf, SIZES);
    const found = parseLayout(text);
    expect(found).toMatchObject({ abi: btf.enumerators['XM_ABI_VERSION'], sizes: SIZES });
    expect(new InstalledAbi(found?.btf ?? btf).undoBits).toEqual(installed.undoBits);
    expect(describeLayout(found?.btf ?? btf, SIZES)).toBe(text);
  });

  test.each(['', 'nonsense', '{}', JSON.stringify({ abi: 4 })])('that is none of ours is none: %j', (text) => expect(parseLayout(text)).toBeUndefined());

  test('differs when a size, a struct or a constant does', () => {
    const text = describeLayout(btf, SIZES);
    expect(describeLayout(btf, { ...SIZES, routes: 101 })).not.toBe(text);
    expect(describeLayout({ ...btf, enumerators: { ...btf.enumerators, XM_ROUTE_LEARN: 16 } }, SIZES)).not.toBe(text);
    expect(describeLayout({ ...btf, enumerators: { ...btf.enumerators, KERNELS_OWN: 16 } }, SIZES)).toBe(text);
  });
});

describe('what is read back is what was written', () => {
  const { counters, groups } = abi.routeLimits;
  const route = fc.record({
    counter: fc.nat(counters - 1),
    group: fc.nat(groups - 1),
    incoming: fc.option(fc.integer({ min: 1, max: 1024 }), { nil: undefined }),
    copies: fc.nat(1023),
    learn: fc.boolean(),
    ttlThreshold: fc.constantFrom(0, 16),
    viaTc: fc.boolean(),
    local: fc.boolean(),
    toVlans: fc.boolean(),
  });

  test('of a route', () => {
    fc.assert(
      fc.property(route, ({ ttlThreshold, ...rest }) => {
        const bytes = abi.route({ ...rest, ttlThreshold });
        expect(installed.readRoute(new DataView(bytes.buffer), 0)).toEqual({ ...rest, hasThreshold: ttlThreshold > 0 });
      }),
    );
  });

  test('of a member', () => {
    fc.assert(
      fc.property(fc.nat(counters - 1), fc.integer({ min: 1, max: 1024 }), (counter, vport) => {
        expect(installed.readMemberKey(abi.memberKey(counter, vport))).toEqual({ counter, vport });
      }),
    );
  });

  test('of its key', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (source, group) => {
        expect(installed.readRouteKey(new DataView(abi.routeKey(source, group).buffer), 0)).toEqual({ source, group });
      }),
    );
  });

  test('of whose a slot is', () => {
    const keys = [{ group: 70_000, ifindex: 0, place: 3 }, { group: 1, ifindex: 80_000, place: 1 }];
    const [keyView, vports] = [new DataView(abi.slotKeys(keys).buffer), new DataView(u32Keys([1024, 2]).buffer)];
    expect(keys.map((_, i) => installed.readSlotOwner(keyView, vports, i))).toEqual([{ key: keys[0], vport: 1024 }, { key: keys[1], vport: 2 }]);
  });

  test('of a port', () => {
    const names = ['eth0', 'a-name-of-15-ch'];
    const records = names.map((name, i) => ({ vport: i + 1, ifindex: 7 + i, vlan: 100 * i, name, undo: i }));
    const nothing = new Uint8Array(installed.portRecord({ ifindex: 0, vlan: 0, name: '', undo: 0 }).length);
    expect(installed.readPortRecords(Buffer.concat([nothing, ...records.map((record) => installed.portRecord(record)), nothing]))).toEqual(records);
  });
});

describe('counters', () => {
  test('those in use stay, those between are zeroed before they are used', () => {
    const zeroed: number[] = [];
    const slots = new CounterSlots(10, (some) => void zeroed.push(...some));
    slots.adopt(new Set([1, 4]), 0);
    expect(slots.span).toBe(5);
    const taken = [slots.take(1), slots.take(1), slots.take(1), slots.take(1)];
    expect(taken.sort()).toEqual([0, 2, 3, 5]);
    expect(zeroed.sort()).toEqual([0, 2, 3]);
  });
});

describe('replication groups', () => {
  const written: number[] = [];
  const pool = (): GroupPool => new GroupPool(10, [2, 4], { fill: () => undefined, clear: (index) => void written.push(index) });

  test('one in use is that of its set', () => {
    const groups = pool();
    const group = groups.adopt({ index: 5, slots: 2, vports: [1, 2], users: 2, hasHoles: false });
    expect(groups.acquire([1, 2], 0)).toBe(group);
    for (let users = 3; users > 0; users--) groups.release(group, 0);
    expect(groups.used).toBe(0);
  });

  test('one that lacks a device, or is the second of its set, serves who has it and nobody else', () => {
    const groups = pool();
    groups.add(2, [0]);
    const first = groups.adopt({ index: 5, slots: 4, vports: [1, 2], users: 1, hasHoles: false });
    const second = groups.adopt({ index: 6, slots: 4, vports: [1, 2], users: 1, hasHoles: false });
    const holed = groups.adopt({ index: 7, slots: 4, vports: [3], users: 1, hasHoles: true });
    expect(groups.acquire([1, 2], 0)).toBe(first);
    expect(groups.acquire([3], 0)?.index).toBe(0);
    for (const group of [second, holed]) groups.release(group, 0);
    groups.tick(GROUP_REST_MS);
    expect(written).toEqual(expect.arrayContaining([6, 7]));
  });
});

describe('ranges', () => {
  const prefix = (address: number, length: number): Ipv4Prefix => ({ address, length });
  const group = fc.constantFrom(prefix(0xef000000, 8), prefix(0xef010000, 16), prefix(0xef010100, 24));
  const source = fc.constantFrom(prefix(0, 0), prefix(0x0a000000, 8), prefix(0x0a010000, 16));

  test('go on as they were: the same is asked for, and nothing is written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ group, source }), { maxLength: 6 }), async (asked) => {
        const maps = { groups: new FakeMap(), sources: new FakeMap() };
        const as = { groups: maps.groups.map, sources: maps.sources.map };
        const before = new PrefixRoutes(abi, as);
        const unique = new Map(asked.map((one) => [JSON.stringify(one), one]));
        [...unique.values()].forEach((one, counter) => before.set(one.group, one.source, abi.route({ counter, group: 0, incoming: 1, copies: 0, learn: false, ttlThreshold: 0 })));
        const content = [new Map(maps.groups.entries), new Map(maps.sources.entries)];

        const after = new PrefixRoutes(abi, as);
        const found = after.adopt(
          [...maps.groups.entries].map(([key, value]) => ({ group: installed.readGroupPrefix(Buffer.from(key, 'hex')), set: readU32(value, 0) })),
          [...maps.sources.entries].map(([key, value]) => ({ ...installed.readSourcePrefix(Buffer.from(key, 'hex')), value })),
        );
        expect(found.map((one) => JSON.stringify({ group: one.group, source: one.source })).sort()).toEqual([...unique.keys()].sort());
        expect([maps.groups.entries, maps.sources.entries]).toEqual(content);
        for (const one of unique.values()) after.remove(one.group, one.source);
        expect([maps.groups.entries.size, maps.sources.entries.size]).toEqual([0, 0]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the index', () => {
  const word = (source: number): { readonly route: { readonly source: number; readonly group: number }; readonly key: bigint } => {
    const route = { source, group: 0xef010101 };
    return { route, key: new BigUint64Array(abi.routeKey(source, route.group).buffer)[0] ?? 0n };
  };
  const world = (): { readonly memory: BigUint64Array; readonly index: RouteIndex } => {
    const memory = new BigUint64Array(indexBuckets(8) * abi.routeIndex.bucketWords);
    return { memory, index: new RouteIndex(abi.routeIndex, memory) };
  };

  test('is repaired where somebody has written, and only there', () => {
    const { memory, index } = world();
    const { route, key } = word(1);
    index.adopt(route, key, 5n, 0);
    expect(index.repair(route, key, 5n, 0)).toBe(false);
    memory.forEach((value, at) => value === 5n && (memory[at] = 6n));
    expect(index.repair(route, key, 5n, 0)).toBe(true);
    memory.fill(0n);
    expect(index.repair(route, key, 5n, 0)).toBe(true);
    expect(index.repair(route, key, 5n, 0)).toBe(false);
  });

  test('loses keys that are no route’s', () => {
    const { memory, index } = world();
    const [known, stranger] = [word(1), word(2)];
    index.adopt(known.route, known.key, 5n, 0);
    index.adopt(stranger.route, stranger.key, 7n, 0);
    expect([...index.removeStrangers((key) => key === known.key, 1)].reduce((sum, count) => sum + count, 0)).toBe(1);
    expect([memory.includes(known.key), memory.includes(stranger.key)]).toEqual([true, false]);
  });
});
