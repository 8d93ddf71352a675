/** A controller and a data plane over a real socket: order, refusals, outages, restarts, and who may drive. */
import { PUNT_CLASSES, type PortSpec } from '../../../control/dataplane/api';
import { XmcastError } from '../../../control/errors';
import { nameOf, routeName } from '../../../control/mrib/route';
import { eventually } from '../../lab/eventually';
import { ip, NO_COUNTERS } from '../router/fakes';
import { closeAll, connect, FakeLocalDataplane, newSocketPath, remove, serve, set } from './fakes';

afterEach(closeAll);

const G = ip('239.1.1.1');
const S = ip('10.0.0.1');
const port = (vport: number, name = `lan${vport}`): PortSpec => ({
  vport, name, ifindex: 100 + vport, macAddress: Uint8Array.of(2, 0, 0, 0, 0, vport), mtu: 1500, ttlThreshold: 1, mode: 'auto', kind: 'veth', vlan: vport === 2 ? 100 : 0,
});
const until = (isSo: () => boolean, what: string): Promise<unknown> => eventually(isSo, { what, intervalMs: 5 });

async function pair(options: Parameters<typeof connect>[1] = {}) {
  const served = await serve();
  const { remote, heard } = connect(served.target, options);
  await until(() => remote.link.isUp, 'the link is up');
  return { ...served, remote, heard };
}

test('ports, policers and frames arrive as they were given, and the attachment comes back', async () => {
  const { remote, dataplane } = await pair();
  dataplane.attachment = { mode: 'tc', reason: 'a bridge', isFallback: true };
  expect(await remote.setPort(port(2))).toEqual({ mode: 'tc', reason: 'a bridge', isFallback: true });
  expect(dataplane.ports.get(2)).toEqual(port(2));
  const policers = Object.fromEntries(PUNT_CLASSES.map((name, i) => [name, { ratePps: i + 1, burst: i + 2, totalPps: i + 3 }]));
  remote.setPolicers(policers as never);
  expect(remote.transmit(2, Uint8Array.of(1, 2, 3))).toBeUndefined();
  await remote.removePort(2);
  expect(dataplane.policers).toEqual(policers);
  expect(dataplane.sent.map(({ vport, frame }) => [vport, ...frame])).toEqual([[2, 1, 2, 3]]);
  expect(dataplane.ports.size).toBe(0);
});

test('a port that cannot be attached fails with the code, the words and the hint of the data plane', async () => {
  const { remote, dataplane } = await pair();
  dataplane.failPort = new XmcastError('XM_XDP_BUSY', 'attach XDP to lan2: EBUSY', { hint: 'Detach the other program.' });
  await expect(remote.setPort(port(2))).rejects.toMatchObject({ code: 'XM_XDP_BUSY', message: 'attach XDP to lan2: EBUSY', hint: 'Detach the other program.' });
});

test('a write, then the packet that asked for it: in this order', async () => {
  const { remote, dataplane } = await pair();
  const order: string[] = [];
  dataplane.applyRoutes = (changes) => {
    order.push(`write ${changes.length}`);
    return [];
  };
  dataplane.resend = () => {
    order.push('resend');
    return Promise.resolve();
  };
  for (let i = 0; i < 20; i++) {
    remote.applyRoutes([set(S + i, G)]);
    await remote.resend({ class: 'no_route', vport: 1, frame: Uint8Array.of(1), frameBytes: 1 }, { source: S + i, group: G });
  }
  await until(() => order.length === 40, 'all have arrived');
  expect(order).toEqual(Array.from({ length: 20 }, () => ['write 1', 'resend']).flat());
});

test('what is refused is told afterwards, the rest is confirmed, and ranges keep their lengths', async () => {
  const { remote, dataplane, heard } = await pair();
  dataplane.limit = 2;
  const range = { kind: 'set', route: { source: 0, group: ip('239.2.0.0'), groupLength: 16, incoming: 1, outgoing: [2, 3], ttlThreshold: 9, local: [1] } } as const;
  expect(remote.applyRoutes([set(S, G), range, set(S + 1, G)])).toBeUndefined();
  expect(remote.installedAtMs(routeName(S, G))).toBeUndefined();
  await until(() => heard.applied.length > 0, 'the answer is there');
  expect(heard.applied.flatMap(({ refused }) => refused)).toEqual([{ source: S + 1, group: G, incoming: 1, outgoing: [2], problem: 'full' }]);
  expect(heard.applied.flatMap(({ changes }) => changes)).toHaveLength(3);
  expect(remote.installedAtMs(routeName(S, G))).toEqual(expect.any(Number));
  expect(remote.installedAtMs(routeName(S + 1, G))).toBeUndefined();
  expect(dataplane.routes.get(nameOf(range.route))).toEqual(range.route);
  expect(remote.usage.routes).toBe(2);
});

test('punts arrive in order and whole; without a controller they are counted as lost', async () => {
  const served = await serve();
  const punt = (i: number) => ({ class: 'igmp_report', vport: 3, frame: Uint8Array.of(i, i), frameBytes: 90 }) as const;
  served.service.onPunts([punt(1), punt(2)]);
  const { remote, heard } = connect(served.target);
  await until(() => remote.link.isUp, 'the link is up');
  expect(remote.link.puntsLost).toBe(2n);
  served.service.onPunts([punt(3), punt(4)]);
  served.service.onPunts([punt(5)]);
  await until(() => heard.punts.length === 3, 'the punts are there');
  expect(heard.punts.map((one) => ({ ...one, frame: Uint8Array.from(one.frame) }))).toEqual([punt(3), punt(4), punt(5)]);
});

describe('an outage', () => {
  test('of the connection: nothing is written again that is there, and what was missed is', async () => {
    const { remote, dataplane, heard, server, target } = await pair();
    remote.applyRoutes([set(S, G), set(S + 1, G)]);
    await until(() => heard.applied.length > 0, 'both are confirmed');
    await server.close();
    await until(() => !remote.link.isUp, 'the link is down');
    expect(remote.isBusy).toBe(true);
    expect(remote.link.problem).not.toBe('');
    await expect(remote.setPort(port(2))).rejects.toMatchObject({ code: 'XM_DATAPLANE' });
    await expect(remote.readCounters()).rejects.toMatchObject({ code: 'XM_DATAPLANE' });
    // Somebody else's work in between.
    dataplane.routes.delete(routeName(S, G));
    dataplane.writes.length = 0;
    const readies = heard.readies;
    await serve(target.slice('unix://'.length), dataplane);
    await until(() => remote.link.isUp, 'the link is up again');
    await until(() => dataplane.routes.has(routeName(S, G)), 'the missing route is there');
    expect(dataplane.writes).toEqual([1]);
    expect(heard).toMatchObject({ linkUps: 2 });
    expect(heard.readies).toBeGreaterThan(readies);
  });

  test('by a restart of the data plane: everything is installed anew', async () => {
    const { remote, dataplane, heard, server, target } = await pair();
    dataplane.limit = 10_000;
    const changes = Array.from({ length: 3000 }, (_, i) => set(S + i, G, [2, 3]));
    remote.applyRoutes(changes.slice(0, 1500));
    remote.applyRoutes(changes.slice(1500));
    remote.setPolicers(Object.fromEntries(PUNT_CLASSES.map((name) => [name, { ratePps: 7, burst: 7, totalPps: 7 }])) as never);
    await until(() => heard.applied.length === 2, 'all are confirmed');
    await server.close();
    const fresh = new FakeLocalDataplane();
    fresh.limit = 10_000;
    await serve(target.slice('unix://'.length), fresh);
    await until(() => fresh.routes.size === 3000, 'all are there');
    await until(() => fresh.policers !== undefined, 'the policers too');
  });

  test('another process of the controller: it takes over what it finds, and nothing is written', async () => {
    const served = await serve();
    const before = connect(served.target);
    await until(() => before.remote.link.isUp, 'the first one is up');
    await before.remote.setPort(port(2));
    before.remote.applyRoutes([set(S, G), set(S + 1, G)]);
    await until(() => served.dataplane.routes.size === 2, 'its routes are there');
    await before.remote.close({ keep: true });
    served.dataplane.writes.length = 0;
    const { remote } = connect(served.target);
    await remote.whenUp(10_000);
    expect(remote.takenOver).toEqual({ ports: [{ vport: 2, name: 'lan2', ifindex: 102 }], routes: [set(S, G), set(S + 1, G)].map((one) => (one.kind === 'set' ? one.route : undefined)) });
    expect(remote.installedAtMs(routeName(S, G))).toEqual(expect.any(Number));
    remote.applyRoutes([set(S, G)]);
    remote.applyRoutes([remove(S + 1, G)]);
    await until(() => served.dataplane.routes.size === 1, 'one is not wanted any more');
    expect(served.dataplane.writes).toEqual([1]);
  });

  test('a data plane that comes after the router has begun is not taken over: what is strange there goes', async () => {
    const socketPath = newSocketPath();
    const { remote } = connect(`unix://${socketPath}`);
    await remote.whenUp(1);
    const dataplane = new FakeLocalDataplane();
    dataplane.applyRoutes([set(S, G)]);
    await serve(socketPath, dataplane);
    await until(() => remote.link.isUp, 'the link is up');
    await until(() => dataplane.routes.size === 0, 'the strange route is gone');
    expect(remote.takenOver).toBeUndefined();
  });
});

test.each([
  [true, 1, 1],
  [false, 0, 0],
])('closed with keep %j: %i route and %i port are left', async (keep, routes, ports) => {
  const { remote, dataplane, heard } = await pair();
  await remote.setPort(port(2));
  remote.applyRoutes([set(S, G)]);
  await until(() => heard.applied.length > 0, 'the route is there');
  await remote.close({ keep });
  await until(() => dataplane.routes.size === routes && dataplane.ports.size === ports, 'what is left');
});

test('what the data plane has repaired, and what it cannot, is asked for', async () => {
  const { remote, dataplane } = await pair();
  dataplane.repairs.set('route', 3n);
  dataplane.problems = ['a foreign program took lan2'];
  expect(await remote.verify()).toEqual({ repairs: new Map(), problems: ['a foreign program took lan2'] });
  expect(remote.repairs).toEqual(new Map([['route', 3n]]));
});

describe('who drives', () => {
  test('a second controller waits; with a higher election id it takes over, and the first one is told', async () => {
    const { target, remote } = await pair();
    const second = connect(target, { name: 'second' });
    await until(() => second.remote.link.problem.includes('is primary'), 'it is refused');
    expect(second.remote.link.problem).toContain('"test" is primary with election id 1');
    const third = connect(target, { name: 'third', electionId: 2n });
    await until(() => third.remote.link.isUp, 'it has taken over');
    await until(() => !remote.link.isUp, 'the first one is out');
    expect(remote.link.problem).toMatch(/"third" with election id 2 has taken over|"third" is primary/);
  });

  test('when the primary goes, the one that waits is next', async () => {
    const { target, remote } = await pair();
    const second = connect(target);
    await until(() => second.remote.link.problem.includes('is primary'), 'it is refused');
    await remote.close();
    await until(() => second.remote.link.isUp, 'it drives now');
  });
});

test('counters: all at first, then what has changed, and earlier readings stay what they were', async () => {
  const { remote, dataplane, heard } = await pair();
  remote.applyRoutes([set(S, G), set(S + 1, G)]);
  await until(() => heard.applied.length > 0, 'both are there');
  const [a, b] = [routeName(S, G), routeName(S + 1, G)];
  const counted = (packets: bigint) => ({ ...NO_COUNTERS, packets, bytes: 100n * packets, ttlDrops: 2n ** 63n });
  dataplane.counters.set(a, counted(5n));
  dataplane.counters.set(b, counted(7n));
  await remote.setPort(port(1));
  const first = await remote.readCounters();
  expect([first.route(a), first.route(b)]).toEqual([counted(5n), counted(7n)]);
  expect(first.vport(1)).toMatchObject({ rxPackets: 7n, rxBytes: 700n, drops: [3n] });
  dataplane.counters.set(b, counted(2n ** 40n));
  const second = await remote.readCounters();
  expect([second.route(a), second.route(b), first.route(b)]).toEqual([counted(5n), counted(2n ** 40n), counted(7n)]);
  expect([...second.activeSince(first)].flat()).toEqual([{ source: S + 1, group: G }]);
  expect([...second.routeNames()].sort()).toEqual([a, b].sort());
  const applied = heard.applied.length;
  remote.applyRoutes([remove(S, G)]);
  await until(() => heard.applied.length > applied, 'one is removed');
  expect((await remote.readCounters()).route(a)).toBeUndefined();
});

test('a controller that starts before its data plane waits for it', async () => {
  const socketPath = newSocketPath();
  const { remote } = connect(`unix://${socketPath}`);
  await until(() => remote.link.problem !== 'the connection is being made', 'it was tried');
  expect(remote.link).toMatchObject({ isUp: false, connects: 0 });
  await serve(socketPath);
  await remote.whenUp(10_000);
  expect(remote.link).toMatchObject({ isUp: true, problem: '', connects: 1 });
});
