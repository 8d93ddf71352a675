/** Static entries of the API in a running router: what becomes of them, that everything else goes on, and when they are told to be there. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { toSettings } from '../../../control/config/defaults';
import type { StaticRouteSettings } from '../../../control/config/settings';
import { parsePrefix, type Ipv4 } from '../../../control/protocol/packet/address';
import { FlowTable } from '../../../control/protocol/packet/flow-table';
import { Router } from '../../../control/router/router';
import { addressOf, FakeDataplane, FakeKernel, ip, quiet, settle } from './fakes';

const NAMES = ['up0', 'lan1', 'lan2'];
const ROUTES = { group: '239.8.8.8', upstream: 'up0', downstreams: ['lan2'] };

function wanted(group: string, changes: Partial<StaticRouteSettings> = {}): StaticRouteSettings {
  return { group: parsePrefix(group)!, source: undefined, upstream: 'up0', downstreams: ['lan1'], ttlThreshold: 0, ...changes };
}

function nth(count: number): readonly StaticRouteSettings[] {
  return Array.from({ length: count }, (_, i) => wanted(`239.1.${i >> 8}.${i & 255}`));
}

async function world() {
  const [dataplane, kernel] = [new FakeDataplane(), new FakeKernel()];
  dataplane.limit = Infinity;
  NAMES.forEach((name, i) => kernel.set(name, { ifindex: 10 + i, address: addressOf(name, i, 1) }));
  const settings = toSettings({ interfaces: NAMES.map((name) => ({ name, upstream: name === 'up0' })), staticRoutes: [ROUTES] });
  // Each look at the clock takes a millisecond: every step is a turn of its own.
  let nowMs = 0;
  const clock = { nowMs: () => nowMs++, nowWallMs: () => nowMs };
  const router = new Router({ settings, dataplane, kernel, clock, log: quiet, random: () => 0.5, joinOnHost: () => Promise.reject(new Error('not in this test')) });
  const routes = new FlowTable<StaticRouteSettings>();
  const groups = new Map<Ipv4, readonly Ipv4[]>();
  router.static.follow({
    route: (flow) => routes.get(flow),
    routes: () => routes.values(),
    sourcesOf: ({ group }) => groups.get(group),
    groupsOf: (name) => (name === 'lan1' ? groups.keys() : []),
  });
  await router.start();
  const put = (...list: readonly StaticRouteSettings[]): void => {
    for (const one of list) routes.set(one);
    router.static.changed({ flows: list, memberships: [] });
  };
  const drop = (...list: readonly StaticRouteSettings[]): void => {
    for (const one of list) routes.delete(one);
    router.static.changed({ flows: list, memberships: [] });
  };
  const member = (group: Ipv4, sources: readonly Ipv4[] | undefined): void => {
    if (sources === undefined) groups.delete(group);
    else groups.set(group, sources);
    router.static.changed({ flows: [], memberships: [{ interface: 'lan1', group }] });
  };
  const installed = (): readonly string[] => [...dataplane.routes].map(([name, { outgoing }]) => `${name}: ${outgoing.join(' ')}`).sort();
  return { router, dataplane, kernel, put, drop, member, installed };
}

let w: Awaited<ReturnType<typeof world>>;
beforeEach(async () => (w = await world()));
afterEach(() => w.router.close());

const CONFIGURED = `0/${ip('239.8.8.8')}: 3`;

test('a route is there when it is said to be, and gone when it is said to be', async () => {
  const route = wanted('239.1.1.1');
  w.put(route);
  await w.router.static.programmed([route]);
  expect(w.installed()).toEqual([`0/${ip('239.1.1.1')}: 2`, CONFIGURED]);
  expect(w.router.static.routeHindrance(route)).toBe('');
  w.drop(route);
  await w.router.static.programmed([route]);
  expect(w.installed()).toEqual([CONFIGURED]);
});

test('thousands are followed piece by piece, with other things in between', async () => {
  const many = nth(3000);
  w.put(...many);
  const before = w.dataplane.routes.size;
  expect(before).toBeLessThan(200);
  const [other] = [wanted('239.7.7.7')];
  let turns = 0;
  for (; w.dataplane.routes.size < 3001; turns++) await nextTurn();
  expect(turns).toBeGreaterThan(20);
  await w.router.static.programmed(many);
  w.put(other);
  await w.router.static.programmed([other]);
  expect(w.dataplane.routes.size).toBe(3002);
  w.drop(...many);
  await w.router.static.programmed(many);
  expect(w.installed()).toEqual([`0/${ip('239.7.7.7')}: 2`, CONFIGURED].sort());
});

test('one waits for its interfaces, and says for which', async () => {
  const route = wanted('239.1.1.1');
  w.kernel.remove('lan1');
  await settle();
  w.put(route);
  await w.router.static.programmed([route]);
  expect([w.installed(), w.router.static.routeHindrance(route)]).toEqual([[CONFIGURED], 'waits for lan1']);
  w.kernel.set('lan1', { ifindex: 40, address: '10.1.2.1' });
  await settle();
  await w.router.static.programmed([route]);
  expect([w.installed(), w.router.static.routeHindrance(route)]).toEqual([[`0/${ip('239.1.1.1')}: 2`, CONFIGURED], '']);
});

test('an interface that goes takes along thousands of routes, in pieces, and brings them back', async () => {
  const many = nth(2000);
  w.put(...many);
  await w.router.static.programmed(many);
  w.kernel.remove('lan1');
  await settle();
  expect(w.dataplane.routes.size).toBeGreaterThan(1000);
  await w.router.static.programmed(many);
  expect(w.installed()).toEqual([CONFIGURED]);
  w.kernel.set('lan1', { ifindex: 41, address: '10.1.2.1' });
  await settle();
  await w.router.static.programmed(many);
  expect(w.dataplane.routes.size).toBe(2001);
});

test('what the data plane refuses is told, and is there when there is room', async () => {
  w.dataplane.limit = 2;
  const [first, second] = [wanted('239.1.1.1'), wanted('239.1.1.2')];
  w.put(first, second);
  await w.router.static.programmed([first, second]);
  expect([w.router.static.routeHindrance(first), w.router.static.routeHindrance(second)]).toEqual(['', 'full']);
  w.dataplane.limit = 3;
  w.router.roomMade();
  expect(w.router.static.routeHindrance(second)).toBe('');
});

test('for one flow the configuration decides, as long as it has it', async () => {
  const same = wanted('239.8.8.8', { downstreams: ['lan1'] });
  w.put(same);
  await w.router.static.programmed([same]);
  expect(w.installed()).toEqual([CONFIGURED]);
  const interfaces = NAMES.map((name) => ({ name, upstream: name === 'up0' }));
  await w.router.reconfigure(toSettings({ interfaces }));
  await w.router.static.programmed([same]);
  expect(w.installed()).toEqual([`0/${ip('239.8.8.8')}: 2`]);
  await w.router.reconfigure(toSettings({ interfaces, staticRoutes: [ROUTES] }));
  await w.router.static.programmed([same]);
  expect(w.installed()).toEqual([CONFIGURED]);
});

test('a membership is forwarded without any host, and is there again when the link returns', async () => {
  const group = ip('239.1.1.1');
  w.member(group, []);
  await w.router.static.programmed([]);
  const there = [`0/${group}: 2`, CONFIGURED];
  expect(w.installed()).toEqual(there);
  expect([w.router.static.membershipHindrance('lan1'), w.router.static.membershipHindrance('up0'), w.router.static.membershipHindrance('lan9')]).toEqual([
    '',
    'up0 is an upstream: only a downstream interface has memberships',
    'lan9 is not in the configuration',
  ]);
  w.kernel.set('lan1', { ifindex: 11, address: '10.1.2.1', up: false });
  await settle();
  expect([w.installed(), w.router.static.membershipHindrance('lan1')]).toEqual([[CONFIGURED], 'waits for lan1']);
  w.kernel.set('lan1', { ifindex: 11, address: '10.1.2.1' });
  await settle();
  await w.router.static.programmed([]);
  expect(w.installed()).toEqual(there);
  w.member(group, undefined);
  await w.router.static.programmed([]);
  expect(w.installed()).toEqual([CONFIGURED]);
});

test('who waits is not left waiting when the router is closed', async () => {
  const many = nth(3000);
  w.put(...many);
  const waiting = w.router.static.programmed(many);
  await w.router.close();
  await waiting;
});
