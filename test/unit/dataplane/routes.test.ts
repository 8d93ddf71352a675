/** The table of installed routes: what reaches the kernel in which call, and what is kept when the kernel refuses. */
import { CounterSlots } from '../../../control/dataplane/counter-slots';
import { GroupPool } from '../../../control/dataplane/group-pool';
import { MemberTable } from '../../../control/dataplane/member-table';
import { RouteTable, type RouteEntry } from '../../../control/dataplane/routes';
import { routeName, type RouteChange, type VportId } from '../../../control/mrib/route';
import { RouteWords } from '../../../control/dataplane/route-words';
import { ThresholdTable } from '../../../control/dataplane/threshold-table';
import { indexBuckets, RouteIndex } from '../../../control/dataplane/route-index';
import type { PrefixRoutes } from '../../../control/dataplane/prefix-routes';
import { formatPrefix, type Ipv4Prefix } from '../../../control/protocol/packet/address';
import { u32Key } from '../../../control/dataplane/keys';
import { FakeMap, abi, nameOf } from './fakes';

const G = 0xef010101;

class FakeRanges {
  readonly calls: string[] = [];
  refuse: Error | undefined;

  set(group: Ipv4Prefix, source: Ipv4Prefix): void {
    if (this.refuse !== undefined) throw this.refuse;
    this.calls.push(`set ${formatPrefix(source)} ${formatPrefix(group)}`);
  }

  remove(group: Ipv4Prefix, source: Ipv4Prefix): void {
    this.calls.push(`remove ${formatPrefix(source)} ${formatPrefix(group)}`);
  }
}

function table({ limit = 10_000, groups = 100, tcPorts = new Set<VportId>(), vlanPorts = new Set<VportId>() } = {}) {
  const kernel = new FakeMap();
  const thresholds = new FakeMap();
  const members = new FakeMap();
  const memory = new BigUint64Array(indexBuckets(limit) * abi.routeIndex.bucketWords);
  const index = new RouteIndex(abi.routeIndex, memory);
  const pool = new GroupPool(groups, [4], { fill: () => undefined, clear: () => undefined });
  pool.add(4, Array.from({ length: groups }, (_, i) => i));
  pool.complete();
  const slots = new CounterSlots(limit + 10, () => undefined);
  const words = new RouteWords(limit + 10);
  const events: string[] = [];
  const note = (what: string) => (entry: RouteEntry) => void events.push(`${what} ${entry.route.source}`);
  const ranges = new FakeRanges();
  const routes = new RouteTable(abi, { map: kernel.map, index, thresholds: new ThresholdTable(thresholds.map), words, ranges: ranges as unknown as PrefixRoutes, groups: pool, slots, members: new MemberTable(abi, members.map), limit, tcPorts, vlanPorts, onInstalled: note('installed'), onRemoved: note('removed') });
  return { kernel, thresholds, members, ranges, pool, slots, routes, events };
}

const set = (source: number, ...outgoing: VportId[]): RouteChange => ({ kind: 'set', route: { source, group: G, incoming: 9, outgoing } });
const remove = (source: number): RouteChange => ({ kind: 'remove', key: { source, group: G } });
const many = (count: number, change: (source: number) => RouteChange): RouteChange[] => Array.from({ length: count }, (_, i) => change(i + 1));
const keyOf = (source: number): string => nameOf(abi.routeKey(source, G));

function written(kernel: FakeMap, source: number): Uint8Array | undefined {
  return kernel.entries.get(keyOf(source));
}

test('a thousand routes with one outgoing set are one call and one group', () => {
  const { kernel, routes, pool } = table();
  expect(routes.apply(many(1000, (source) => set(source, 1, 2)), 0)).toEqual([]);
  expect(kernel.calls).toEqual([1000]);
  expect(pool.used).toBe(1);
  expect(written(kernel, 7)).toEqual(abi.route({ counter: 6, group: 99, incoming: 9, copies: 2, learn: false, ttlThreshold: 0 }));
});

test('a TTL threshold is in its table before the route is, among others without', () => {
  const { kernel, thresholds, routes } = table();
  const scoped = set(2, 1) as Extract<RouteChange, { kind: 'set' }>;
  kernel.onUpdateMany = () => kernel.calls.length === 1 && expect(thresholds.entries.get(nameOf(u32Key(1)))).toEqual(u32Key(31));
  expect(routes.apply([set(1, 1), { ...scoped, route: { ...scoped.route, ttlThreshold: 31 } }, set(3, 1)], 0)).toEqual([]);
  expect(kernel.calls).toEqual([1, 2]);
  expect(written(kernel, 2)).toEqual(abi.route({ counter: 1, group: 99, incoming: 9, copies: 1, learn: false, ttlThreshold: 31 }));
  expect(written(kernel, 3)).toEqual(abi.route({ counter: 2, group: 99, incoming: 9, copies: 1, learn: false, ttlThreshold: 0 }));
});

test('a route holds the largest counter, group, interface and set there can be, side by side', () => {
  const { counters, groups } = abi.routeLimits;
  const words = new Uint32Array(abi.route({ counter: counters - 1, group: 0, incoming: 1024, copies: 1024, learn: false, ttlThreshold: 0 }).buffer);
  expect(words[0]).toBe(counters - 1 + 1024 * counters);
  expect(words[1]).toBe(1023 * groups);
  const others = new Uint32Array(abi.route({ counter: 0, group: groups - 1, incoming: undefined, copies: 0, learn: true, ttlThreshold: 255 }).buffer);
  expect([...others]).toEqual([0, groups - 1 + 3 * groups * 1024]);
});

test('more than fit one call are several', () => {
  const { kernel, routes } = table();
  routes.apply(many(2500, (source) => set(source, 1)), 0);
  routes.apply(many(2500, remove), 0);
  expect(kernel.calls).toEqual([1024, 1024, 452, 1024, 1024, 452]);
  expect([routes.size, kernel.entries.size]).toEqual([0, 0]);
});

test('the order of setting and removing is kept', () => {
  const { kernel, routes, events } = table();
  routes.apply([set(1, 1), set(2, 1), remove(1), set(3, 1), set(1, 2), remove(9)], 0);
  expect(kernel.calls).toEqual([2, 1, 2]);
  expect(events).toEqual(['installed 1', 'installed 2', 'removed 1', 'installed 3', 'installed 1']);
  expect([...routes.entries()].map(([, { route }]) => [route.source, route.outgoing])).toEqual([[2, [1]], [3, [1]], [1, [2]]]);
});

test('of several changes of one route the last stands, and the sets of the others are not held', () => {
  const { routes, pool } = table();
  routes.apply([set(1, 1), set(1, 2), set(1, 3)], 0);
  expect(routes.entry(routeName(1, G))?.route.outgoing).toEqual([3]);
  expect(pool.used).toBe(1);
});

test('a changed route keeps its counter, its age and its serial number', () => {
  const { routes } = table();
  routes.apply([set(1, 1)], 100);
  const before = routes.entry(routeName(1, G));
  routes.apply([set(1, 2)], 200);
  expect(routes.entry(routeName(1, G))).toMatchObject({ counter: before?.counter, installedAtMs: 100, serial: before?.serial });
});

test('a route that comes back is a later one, on another counter while the first rests', () => {
  const { routes } = table();
  routes.apply([set(1, 1)], 0);
  routes.apply([remove(1), set(1, 1)], 0);
  expect(routes.entry(routeName(1, G))).toMatchObject({ counter: 1, serial: 2 });
  expect(routes.entryOfCounter(0)).toBeUndefined();
  expect(routes.entryOfCounter(1)?.route.source).toBe(1);
});

test('what the kernel refuses in the middle of a call is reported; the others are written, the old route stays', () => {
  const { kernel, routes, pool } = table();
  routes.apply([set(2, 7)], 0);
  const before = written(kernel, 2);
  kernel.refused.add(keyOf(2)).add(keyOf(4));
  const problems = routes.apply(many(5, (source) => set(source, 1)), 0);
  expect(problems.map(({ source, problem }) => [source, problem])).toEqual([[2, expect.stringContaining('ENOMEM')], [4, expect.stringContaining('ENOMEM')]]);
  expect(written(kernel, 2)).toEqual(before);
  expect(routes.entry(routeName(2, G))?.route.outgoing).toEqual([7]);
  expect([...routes.entries()].map(([, { route }]) => route.source).sort()).toEqual([1, 2, 3, 5]);
  expect(pool.used).toBe(2);
});

test('a refused new route gives its counter and its group back', () => {
  const { kernel, routes, pool, events } = table();
  kernel.refused.add(keyOf(1));
  routes.apply([set(1, 1)], 0);
  expect([pool.used, routes.size, events]).toEqual([0, 0, []]);
  kernel.refused.clear();
  routes.apply([set(1, 1)], 0);
  expect(routes.entry(routeName(1, G))?.counter).toBe(0);
});

test('a removal the kernel refuses leaves the route in the table and is reported', () => {
  const { kernel, routes } = table();
  routes.apply(many(3, (source) => set(source, 1)), 0);
  kernel.refused.add(keyOf(2));
  expect(routes.apply(many(3, remove), 0)).toEqual([{ source: 2, group: G, problem: expect.stringContaining('remove the route: ENOMEM') }]);
  expect([...routes.entries()].map(([, { route }]) => route.source)).toEqual([2]);
});

test('the limit counts routes of the same call', () => {
  const { routes } = table({ limit: 3 });
  const problems = routes.apply(many(5, (source) => set(source, 1)), 0);
  expect(problems.map(({ source }) => source)).toEqual([4, 5]);
  expect(problems[0]?.problem).toContain('limits.routes is 3');
  expect(routes.apply([set(1, 2)], 0)).toEqual([]);
});

test('without a free group a new route is refused, a changed one stays as it was', () => {
  const { routes } = table({ groups: 1 });
  routes.apply([set(1, 1)], 0);
  expect(routes.apply([set(1, 2), set(2, 2), set(3)], 0).map(({ source }) => source)).toEqual([1, 2]);
  expect(routes.entry(routeName(1, G))?.route.outgoing).toEqual([1]);
  expect(routes.entry(routeName(3, G))?.group).toBeUndefined();
});

describe('ranges', () => {
  const range: RouteChange = { kind: 'set', route: { source: 0x0a000000, sourceLength: 8, group: 0xef000000, groupLength: 8, incoming: 9, outgoing: [1] } };

  test('go to tables of their own, in the same list as others, and come back out of them', () => {
    const { kernel, ranges, routes } = table();
    routes.apply([set(1, 1), range, set(2, 1)], 0);
    expect(ranges.calls).toEqual(['set 10.0.0.0/8 239.0.0.0/8']);
    expect(kernel.entries.size).toBe(2);
    expect(routes.size).toBe(3);
    routes.apply([{ kind: 'remove', key: range.route }, remove(2)], 0);
    expect(ranges.calls[1]).toBe('remove 10.0.0.0/8 239.0.0.0/8');
    expect([routes.size, kernel.entries.size]).toEqual([1, 1]);
  });

  test('one that is refused is reported; those beside it are written', () => {
    const { kernel, ranges, routes } = table();
    ranges.refuse = new Error('ENOSPC');
    expect(routes.apply([set(1, 1), range, set(2, 1)], 0)).toMatchObject([{ source: 0x0a000000, problem: expect.stringContaining('ENOSPC') }]);
    expect([routes.size, kernel.entries.size]).toEqual([2, 2]);
  });
});

test('a route that absorbed what nobody wanted counts anew when somebody does', () => {
  const { routes, events } = table();
  routes.apply([set(1)], 0);
  const absorbing = routes.entry(routeName(1, G));
  routes.apply([set(1, 1)], 5);
  const forwarding = routes.entry(routeName(1, G));
  expect(forwarding?.counter).not.toBe(absorbing?.counter);
  expect(forwarding?.serial).toBeGreaterThan(absorbing?.serial ?? 0);
  expect(events).toEqual(['installed 1', 'removed 1', 'installed 1']);
  expect(routes.entryOfCounter(absorbing?.counter ?? -1)).toBeUndefined();
  routes.apply([set(1, 2)], 6);
  expect(routes.entry(routeName(1, G))?.counter).toBe(forwarding?.counter);
});

describe('routes that XDP cannot serve', () => {
  const localOn = (local: readonly VportId[], source: number, ...outgoing: VportId[]): RouteChange => {
    const change = set(source, ...outgoing) as Extract<RouteChange, { kind: 'set' }>;
    return { ...change, route: { ...change.route, local } };
  };
  const local = (source: number, ...outgoing: VportId[]): RouteChange => localOn([9], source, ...outgoing);
  const expected = { group: 99, incoming: 9, copies: 2, learn: false, ttlThreshold: 0 };

  test('one with a port in tc mode, and one the machine itself wants, are marked; others are not', () => {
    const { kernel, routes } = table({ tcPorts: new Set([2]) });
    routes.apply([set(1, 1, 2), local(2, 1, 3), set(3, 1, 3)], 0);
    expect(written(kernel, 1)).toEqual(abi.route({ ...expected, counter: 0, viaTc: true }));
    expect(written(kernel, 2)).toEqual(abi.route({ ...expected, counter: 1, group: 98, viaTc: true, local: true }));
    expect(written(kernel, 3)).toEqual(abi.route({ ...expected, counter: 2, group: 98 }));
  });

  test('one with a VLAN among its outgoing ports is marked, and written again when the port becomes one', () => {
    const vlanPorts = new Set<VportId>();
    const { kernel, routes } = table({ vlanPorts });
    routes.apply([set(1, 1, 2), set(2, 1, 3)], 0);
    vlanPorts.add(2);
    for (const piece of routes.misplaced()) routes.apply(piece, 0);
    expect(written(kernel, 1)).toEqual(abi.route({ ...expected, counter: 0, toVlans: true }));
    expect(written(kernel, 2)).toEqual(abi.route({ ...expected, counter: 1, group: 98 }));
    routes.apply([set(3, 2, 3)], 0);
    expect(written(kernel, 3)).toEqual(abi.route({ ...expected, counter: 2, group: 97, toVlans: true }));
  });

  test('the mode of the incoming port does not matter: only who can send does', () => {
    const { kernel, routes } = table({ tcPorts: new Set([9]) });
    routes.apply([set(1, 1, 2)], 0);
    expect(written(kernel, 1)).toEqual(abi.route({ ...expected, counter: 0 }));
  });

  test('when a port changes its mode its routes are written again, and keep counter, age and serial number', () => {
    const tcPorts = new Set<VportId>();
    const { kernel, routes, events } = table({ tcPorts });
    routes.apply(many(3000, (source) => (source % 2 === 0 ? set(source, 1, 2) : set(source, 1))), 7);
    const before = routes.entry(routeName(2, G));
    for (const change of ['add', 'delete'] as const) {
      tcPorts[change](2);
      let pieces = 0;
      for (const piece of routes.misplaced()) {
        expect(piece.length).toBeLessThanOrEqual(1024);
        expect(routes.apply(piece, 100)).toEqual([]);
        pieces++;
      }
      expect(pieces).toBe(2);
      expect([...routes.misplaced()]).toEqual([]);
      expect(written(kernel, 2)).toEqual(abi.route({ ...expected, counter: 1, group: 98, viaTc: change === 'add' }));
    }
    expect(routes.entry(routeName(2, G))).toEqual(before);
    expect(events).toHaveLength(3000);
  });

  test('where the machine is a member is noted before the route, and forgotten with it', () => {
    const { kernel, members, routes } = table();
    const noted = (): string[] => [...members.entries.keys()].sort();
    const keys = (counter: number, ...vports: VportId[]): string[] => vports.map((vport) => nameOf(u32Key(abi.memberKey(counter, vport)))).sort();
    let before: string[] = [];
    kernel.onUpdateMany = () => (before = noted());
    routes.apply([localOn([1, 9], 1, 1, 2), local(2, 1)], 0);
    expect(before).toEqual([...keys(0, 1, 9), ...keys(1, 9)].sort());
    routes.apply([localOn([2, 9], 1, 1, 2)], 1);
    expect(noted()).toEqual([...keys(0, 2, 9), ...keys(1, 9)].sort());
    routes.apply([set(1, 1, 2), remove(2)], 2);
    expect(noted()).toEqual([]);
  });

  test('a route that the kernel refuses leaves the members of the one before', () => {
    const { kernel, members, routes } = table();
    routes.apply([local(1, 2)], 0);
    kernel.refused.add(nameOf(abi.routeKey(1, G)));
    kernel.refused.add(nameOf(abi.routeKey(5, G)));
    expect(routes.apply([localOn([3, 9], 1, 2), localOn([3], 5, 2)], 1)).toHaveLength(2);
    expect([...members.entries.keys()]).toEqual([nameOf(u32Key(abi.memberKey(0, 9)))]);
  });

  test('what goes to the machine itself alone is no stream nobody wants: it counts on when a host joins', () => {
    const { routes } = table();
    routes.apply([local(1)], 0);
    const alone = routes.entry(routeName(1, G));
    routes.apply([local(1, 2)], 5);
    expect(routes.entry(routeName(1, G))?.counter).toBe(alone?.counter);
  });
});

test('routes have the places they are to have, where these are to be had', () => {
  const { routes, slots } = table();
  slots.reserve([5, 2]);
  const places = new Map([[1, { counter: 5, group: 42 }], [2, { counter: 2, group: 42 }], [3, { counter: 77, group: 777 }]].map(([source, place]) => [routeName(source as number, G), place as { counter: number; group: number }]));
  routes.apply([set(1, 1), set(2, 2), set(3, 3)], 0, places);
  const entries = [1, 2, 3].map((source) => routes.entry(routeName(source, G)));
  expect(entries.map((entry) => entry?.counter)).toEqual([5, 2, 0]);
  expect(entries.map((entry) => entry?.group?.index)).toEqual([42, 99, 98]);
});
