import type { PortAttachment, Punt } from '../../../control/dataplane/api';
import { XmcastError } from '../../../control/errors';
import { RecordType, type IgmpMessage } from '../../../control/protocol/igmp/message';
import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import { buildIgmpFrame } from '../../../control/protocol/igmp/encode';
import { Router } from '../../../control/router/router';
import { RouterState } from '../../../control/router/state';
import { routeName } from '../../../control/mrib/route';
import { frame } from '../../bpf/packet';
import { FakeDataplane, FakeKernel, NO_COUNTERS, ip, listed, quiet, settings, settle } from './fakes';

const G = ip('239.1.1.1');
const S = ip('10.100.0.10');
/** A host on the subnet of each port. */
const HOSTS: Readonly<Record<number, number>> = { 1: ip('10.100.0.10'), 2: ip('10.1.1.10'), 3: ip('10.1.2.10') };
const [UP, LAN1, LAN2] = [1, 2, 3];

async function world(names = ['up0', 'lan1', 'lan2']) {
  jest.useFakeTimers();
  const dataplane = new FakeDataplane();
  const kernel = new FakeKernel();
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, nowWallMs: () => 1_700_000_000_000 + nowMs };
  kernel.set('up0', { ifindex: 10, address: '10.100.0.1' });
  kernel.set('lan1', { ifindex: 11, address: '10.1.1.1' });
  kernel.set('lan2', { ifindex: 12, address: '10.1.2.1' });
  const router = new Router({ settings: settings(...names), dataplane, kernel, clock, log: quiet, readHostGroups: () => Promise.resolve([]) });
  const state = new RouterState({ router, dataplane, clock, version: '1.2.3' });
  const problems = await router.start();
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      nowMs += 100;
      await jest.advanceTimersByTimeAsync(100);
    }
  };
  return { dataplane, kernel, router, state, problems, run };
}
afterEach(() => jest.useRealTimers());

function igmp(vport: number, message: IgmpMessage): Punt {
  const source = HOSTS[vport] ?? 0;
  const destination = message.kind === 'report-v3' ? ip('224.0.0.22') : message.kind === 'leave' ? ip('224.0.0.2') : 'group' in message ? message.group : G;
  const bytes = buildIgmpFrame({ sourceMac: new Uint8Array(6), source, destination, message });
  return { class: 'igmp_report', vport, frame: bytes, frameBytes: bytes.length };
}

const join = (vport: number, group = G): Punt => igmp(vport, { kind: 'report-v2', group });
const only = (vport: number, ...sources: number[]): Punt =>
  igmp(vport, { kind: 'report-v3', records: [{ type: RecordType.ALLOW_NEW_SOURCES, group: G, sources }] });

function data(vport: number, puntClass: Punt['class'] = 'new_source', source = '10.100.0.10'): Punt {
  const bytes = frame({ source });
  return { class: puntClass, vport, frame: bytes.subarray(0, 64), frameBytes: bytes.length };
}

function queries(dataplane: FakeDataplane, vport: number): IgmpMessage[] {
  return dataplane.sent
    .filter((sent) => sent.vport === vport)
    .map(({ frame: bytes }) => decodeIgmpPacket(bytes.subarray(14)))
    .flatMap((decoded) => (decoded.ok ? [decoded.value.message] : []));
}

test('at start every interface is attached and every downstream one is asked, the upstream is not', async () => {
  const { dataplane, problems } = await world();
  expect(problems).toEqual([]);
  expect([...dataplane.ports.keys()]).toEqual([UP, LAN1, LAN2]);
  expect(queries(dataplane, LAN1)).toMatchObject([{ kind: 'query', version: 3, group: 0 }]);
  expect(queries(dataplane, UP)).toEqual([]);
});

test('a report becomes a route, a leave takes it away after the last member query time', async () => {
  const { dataplane, router, run } = await world();
  router.punted([join(LAN1)]);
  expect(dataplane.routes.get(routeName(0, G))).toMatchObject({ incoming: UP, outgoing: [LAN1] });
  router.punted([igmp(LAN1, { kind: 'leave', group: G })]);
  expect(dataplane.routes.size).toBe(1);
  await run(2100);
  expect(dataplane.routes.size).toBe(0);
  expect(queries(dataplane, LAN1).filter((query) => 'group' in query && query.group === G)).toHaveLength(2);
});

test('a new source announced by the data plane gets its route; one that came by the wrong interface does not', async () => {
  const { dataplane, router } = await world();
  router.punted([join(LAN1), data(UP)]);
  expect(dataplane.routes.get(routeName(S, G))).toMatchObject({ incoming: UP, outgoing: [LAN1] });
  router.punted([data(LAN2, 'no_route', '10.100.0.11')]);
  expect(dataplane.routes.has(routeName(ip('10.100.0.11'), G))).toBe(false);
});

test('a source on a downstream subnet is forwarded upstream and to the members elsewhere', async () => {
  const { dataplane, router } = await world();
  router.punted([join(LAN2), data(LAN1, 'no_route', '10.1.1.99')]);
  expect(dataplane.routes.get(routeName(ip('10.1.1.99'), G))).toMatchObject({ incoming: LAN1, outgoing: [UP, LAN2] });
});

test('the packet that asked for a route is sent on when the route is there, and only then', async () => {
  const { dataplane, router } = await world();
  const whole = (vport: number, source?: string): Punt => {
    const bytes = frame(source === undefined ? {} : { source });
    return { class: 'no_route', vport, frame: bytes, frameBytes: bytes.length };
  };
  router.punted([whole(UP)]);
  expect(dataplane.resent).toEqual([]);
  router.punted([join(LAN2), whole(LAN1, '10.1.1.99')]);
  expect(dataplane.resent).toEqual([{ vport: LAN1, frame: frame({ source: '10.1.1.99' }) }]);
  // A new source was forwarded already; a packet cut short cannot be sent on.
  router.punted([data(UP), { ...whole(LAN1, '10.1.1.98'), frameBytes: 5000 }]);
  expect(dataplane.resent).toHaveLength(1);
});

test('a broken punt is counted and changes nothing', async () => {
  const { dataplane, router, state } = await world();
  const cut = join(LAN1);
  router.punted([{ ...cut, frame: cut.frame.subarray(0, 20) }, { ...cut, frame: new Uint8Array(3) }, { ...data(UP), frame: new Uint8Array(20) }]);
  expect(dataplane.routes.size).toBe(0);
  expect(state.interfaces()[1]?.igmpDropped.get('truncated')).toBe(2n);
});

test('reports of others on the upstream are counted and make no route', async () => {
  const { dataplane, router, state } = await world();
  router.punted([join(UP)]);
  expect(dataplane.routes.size).toBe(0);
  expect(state.interfaces()[0]?.igmpReceived).toEqual(new Map([['report-v2', 1n]]));
});

test('an interface that vanishes takes its memberships along; the other port keeps its route; it is taken again when it returns', async () => {
  const { dataplane, kernel, router, state } = await world();
  router.punted([join(LAN1), join(LAN2)]);
  kernel.remove('lan1');
  await settle();
  expect(dataplane.ports.has(LAN1)).toBe(false);
  expect(dataplane.routes.get(routeName(0, G))?.outgoing).toEqual([LAN2]);
  expect(state.interfaces()[1]).toMatchObject({ status: 'absent', ifindex: 0, mode: 'none' });
  kernel.set('lan1', { ifindex: 99, address: '10.1.1.1' });
  await settle();
  expect(dataplane.ports.get(LAN1)?.ifindex).toBe(99);
  router.punted([join(LAN1)]);
  expect(dataplane.routes.get(routeName(0, G))?.outgoing).toEqual([LAN1, LAN2]);
});

test('while the upstream is away (*,G) has no incoming interface; its streams return with it', async () => {
  const { dataplane, kernel, router } = await world();
  router.punted([join(LAN1), only(LAN2, S)]);
  expect(dataplane.routes.get(routeName(S, G))?.incoming).toBe(UP);
  kernel.remove('up0');
  await settle();
  expect(dataplane.routes.has(routeName(S, G))).toBe(false);
  expect(dataplane.routes.get(routeName(0, G))).toMatchObject({ incoming: undefined, outgoing: [LAN1] });
  kernel.set('up0', { ifindex: 77, address: '10.100.0.1' });
  await settle();
  expect(dataplane.routes.get(routeName(S, G))).toMatchObject({ incoming: UP, outgoing: [LAN1, LAN2] });
});

test('a VLAN is a port of the device below, there as long as that is', async () => {
  const { dataplane, kernel, router, state } = await world(['up0', 'lan1', 'lan1.100']);
  expect(dataplane.ports.get(3)).toMatchObject({ name: 'lan1', ifindex: 11, vlan: 100, kind: 'veth', mtu: 1500 });
  expect(dataplane.ports.get(2)).toMatchObject({ name: 'lan1', ifindex: 11, vlan: 0 });
  expect(state.interfaces()[2]).toMatchObject({ name: 'lan1.100', status: 'no-address', ifindex: 11, trunk: { name: 'lan1', vlan: 100 } });
  router.punted([join(3)]);
  expect(listed(state.membershipTable).map((membership) => membership.interface)).toEqual(['lan1.100']);
  kernel.remove('lan1');
  await jest.advanceTimersByTimeAsync(0);
  expect([...dataplane.ports.keys()]).toEqual([1]);
  expect(state.interfaces()[2]).toMatchObject({ status: 'absent', trunk: undefined });
  expect(listed(state.membershipTable)).toEqual([]);
});

test('a downed interface asks nobody and keeps no membership', async () => {
  const { dataplane, kernel, router, state } = await world();
  router.punted([join(LAN1)]);
  kernel.set('lan1', { ifindex: 11, address: '10.1.1.1', up: false });
  await settle();
  expect(dataplane.routes.size).toBe(0);
  expect(state.interfaces()[1]?.status).toBe('down');
});

test('a downed interface is shown without memberships at once, however long the data plane takes', async () => {
  const { dataplane, kernel, router, state } = await world();
  router.punted([join(LAN1)]);
  expect(listed(state.membershipTable)).toHaveLength(1);
  jest.spyOn(dataplane, 'setPort').mockReturnValue(new Promise(() => undefined));
  kernel.set('lan1', { ifindex: 11, address: '10.1.1.1', up: false });
  await settle();
  expect(state.interfaces()[1]?.status).toBe('down');
  expect(listed(state.membershipTable)).toEqual([]);
});

test('an interface that is up forwards when the data plane says so, not before', async () => {
  const { dataplane, kernel, state } = await world();
  kernel.remove('lan1');
  await settle();
  let attached = (_: PortAttachment): void => undefined;
  jest.spyOn(dataplane, 'setPort').mockReturnValue(new Promise((resolve) => (attached = resolve)));
  kernel.set('lan1', { ifindex: 50, address: '10.1.1.1' });
  await settle();
  expect(state.interfaces()[1]).toMatchObject({ status: 'attaching', problem: 'lan1 is up; the forwarder is being attached.' });
  attached({ mode: 'xdp', reason: '', isFallback: false });
  await settle();
  expect(state.interfaces()[1]).toMatchObject({ status: 'forwarding', problem: '' });
});

test('a port that cannot be attached is a problem with code and cure, and is tried again at each reading of the counters', async () => {
  const { dataplane, kernel, state } = await world();
  dataplane.failPort = new XmcastError('XM_XDP_BUSY', 'attach XDP to lan1 (native): EBUSY', { hint: 'Stop its owner.' });
  kernel.set('lan1', { ifindex: 50, address: '10.1.1.1' });
  await settle();
  expect(state.interfaces()[1]).toMatchObject({ status: 'error', problem: expect.stringContaining('EBUSY. Stop its owner.') });
  expect(state.status()).toMatchObject({ ready: false, conditions: [expect.stringContaining('lan1')] });
  dataplane.failPort = undefined;
  await state.refreshCounters();
  await settle();
  expect(state.interfaces()[1]?.status).toBe('forwarding');
});

test('a route the data plane refuses is shown as not installed, and installed as soon as there is room', async () => {
  const { dataplane, router, state } = await world();
  dataplane.limit = 1;
  router.punted([join(LAN1), join(LAN1, ip('239.1.1.2'))]);
  expect(listed(state.routeTable).map(({ installed, problem }) => [installed, problem])).toEqual([[true, ''], [false, 'full']]);
  expect(state.status()).toMatchObject({ routes: { installed: 1, limit: 1, refused: 1n } });
  dataplane.limit = 2;
  await state.refreshCounters();
  expect(listed(state.routeTable).every(({ installed }) => installed)).toBe(true);
});

test('a learnt source goes after its idle time without packets', async () => {
  const { dataplane, router, run, state } = await world();
  router.punted([join(LAN1), data(UP)]);
  const counters = { ...NO_COUNTERS, packets: 1n, bytes: 128n, copies: 1n, copyBytes: 128n };
  dataplane.counters.set(routeName(S, G), counters);
  await run(100_000);
  router.punted([join(LAN1)]);
  await run(100_000);
  expect(dataplane.routes.has(routeName(S, G))).toBe(true);
  router.punted([join(LAN1)]);
  await run(12_000);
  expect(dataplane.routes.has(routeName(S, G))).toBe(false);
  expect(listed(state.membershipTable)).toHaveLength(1);
});

test('rates are measured between two reads', async () => {
  const { dataplane, router, run, state } = await world();
  router.punted([only(LAN1, S)]);
  const set = (packets: bigint): void =>
    void dataplane.counters.set(routeName(S, G), { ...NO_COUNTERS, packets, bytes: packets * 1000n, copies: packets, copyBytes: packets * 1000n });
  set(100n);
  await run(1000);
  set(600n);
  await run(1000);
  expect([...state.flows()]).toMatchObject([{ packets: 600n, packetsPerSecond: 500, bitsPerSecond: 4_000_000, incomingInterface: 'up0', outgoingInterfaces: ['lan1'] }]);
  expect(state.interfaces()[0]).toMatchObject({ rxPackets: 7n, drops: new Map([['no_route', 3n]]) });
});

test('concurrent demands for fresh counters share one read', async () => {
  const { dataplane, state } = await world();
  const read = jest.spyOn(dataplane, 'readCounters');
  await Promise.all([state.refreshCounters(), state.refreshCounters(), state.refreshCounters()]);
  expect(read).toHaveBeenCalledTimes(1);
});

test('nothing happens after close', async () => {
  const { dataplane, kernel, router, run } = await world();
  await router.close();
  dataplane.sent.length = 0;
  router.punted([join(LAN1)]);
  kernel.set('lan1', { ifindex: 5, address: '10.1.1.1' });
  await run(200_000);
  expect(dataplane.routes.size).toBe(0);
  expect(dataplane.sent).toEqual([]);
});

describe('the mode of a port', () => {
  test('what the data plane says is shown; a mode that was chosen is no condition', async () => {
    const { dataplane, router, state } = await world();
    dataplane.attachment = { mode: 'tc', reason: 'the configuration asks for it', isFallback: false };
    await router.portOf(LAN1)?.setLink(router.portOf(LAN1)?.link);
    expect(state.interfaces().map(({ mode, modeReason }) => [mode, modeReason])).toEqual([
      ['xdp', ''],
      ['tc', 'the configuration asks for it'],
      ['xdp', ''],
    ]);
    expect(state.status().conditions).toEqual([]);
  });

  test('a driver that refused XDP is a condition as long as the port is there', async () => {
    const { dataplane, router, state, kernel } = await world();
    dataplane.attachment = { mode: 'tc', reason: 'no XDP here', isFallback: true };
    await router.portOf(LAN1)?.setLink(router.portOf(LAN1)?.link);
    expect(state.status()).toMatchObject({ ready: true, conditions: ['lan1 runs in tc mode, slower than XDP: no XDP here.'] });
    kernel.remove('lan1');
    await settle();
    expect(state.interfaces()[1]).toMatchObject({ mode: 'none', modeReason: '' });
    expect(state.status().conditions.join()).not.toContain('tc mode');
  });

  test('the data plane is told the mode that is wanted and the kind of the device', async () => {
    const { dataplane } = await world();
    expect(dataplane.ports.get(LAN1)).toMatchObject({ mode: 'auto', kind: 'veth' });
  });
});
