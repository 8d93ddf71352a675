/** What a running router tells those who watch it: events, journals, neighbours, counters from a new base, a trace. */
import { toSettings } from '../../../control/config/defaults';
import { EventLog } from '../../../control/events';
import { LogLevel } from '../../../control/log-level';
import type { IgmpMessage } from '../../../control/protocol/igmp/message';
import { RecordType } from '../../../control/protocol/igmp/message';
import { buildIgmpFrame } from '../../../control/protocol/igmp/encode';
import { RouterControl } from '../../../control/router/control';
import { CounterBase } from '../../../control/router/counter-base';
import { Router } from '../../../control/router/router';
import { RouterState } from '../../../control/router/state';
import { frame } from '../../bpf/packet';
import { addressOf, FakeDataplane, FakeKernel, ip, listed, NO_COUNTERS, quiet, settle } from './fakes';

const NAMES = ['up0', 'lan1', 'lan2'];
const G = ip('239.1.1.1');
const S = ip('10.100.1.10');

const QUERY: IgmpMessage = { kind: 'query', version: 3, group: 0, maxResponseTimeMs: 10_000, sources: [], suppressRouterProcessing: false, querierRobustness: 2, querierQueryIntervalMs: 125_000 };

async function world() {
  jest.useFakeTimers();
  const dataplane = new FakeDataplane();
  const kernel = new FakeKernel();
  const clock = { ms: 0, nowMs: () => clock.ms, nowWallMs: () => 1_700_000_000_000 + clock.ms };
  NAMES.forEach((name, i) => kernel.set(name, { ifindex: 10 + i, address: addressOf(name, i, 1) }));
  const events = new EventLog({ log: quiet, clock });
  const settings = toSettings({ interfaces: NAMES.map((name) => ({ name, upstream: name.startsWith('up') })) });
  const router = new Router({ settings, dataplane, kernel, clock, log: quiet, events });
  const base = new CounterBase();
  const raw = new RouterState({ router, dataplane, clock, version: '1' });
  const state = new RouterState({ router, dataplane, clock, version: '1', base });
  const log = { level: 'info' };
  const logLevel = new LogLevel({ log, configured: 'info', events, nowWallMs: clock.nowWallMs });
  const control = new RouterControl({ router, base, logLevel, events, clock, kernelRelease: '6.1.0' });
  await router.start();
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.ms += 100;
      await jest.advanceTimersByTimeAsync(100);
    }
  };
  const punt = (name: string, message: IgmpMessage, host: number | string = 9): void => {
    const i = NAMES.indexOf(name);
    const source = typeof host === 'string' ? host : addressOf(name, i, host);
    const destination = message.kind === 'query' ? ip('224.0.0.1') : ip('224.0.0.22');
    const bytes = buildIgmpFrame({ sourceMac: new Uint8Array(6), source: ip(source), destination, message });
    router.punted([{ class: 'igmp_report', vport: i + 1, frame: bytes, frameBytes: bytes.length }]);
  };
  const report = (type: RecordType): IgmpMessage => ({ kind: 'report-v3', records: [{ type, group: G, sources: [] }] });
  const join = (name: string, host = 9): void => punt(name, report(RecordType.CHANGE_TO_EXCLUDE_MODE), host);
  const leave = (name: string): void => punt(name, report(RecordType.CHANGE_TO_INCLUDE_MODE));
  const data = (): void => {
    const bytes = frame({ source: '10.100.1.10' });
    router.punted([{ class: 'no_route', vport: 1, frame: bytes, frameBytes: bytes.length }]);
  };
  const types = (): string[] => [...events.after(0)].map(({ type, subject }) => `${type} ${subject}`.trim());
  return { dataplane, kernel, router, events, raw, state, control, log, logLevel, base, run, punt, join, leave, data, types };
}
afterEach(() => jest.useRealTimers());

test('the life of an interface, as events', async () => {
  const { kernel, dataplane, types } = await world();
  expect(types().filter((one) => one.endsWith('lan1'))).toEqual(['interface-added lan1', 'interface-up lan1', 'interface-attached lan1']);
  const before = types().length;
  kernel.set('lan1', { ifindex: 11, address: '10.1.2.1', up: false });
  await settle();
  dataplane.attachment = { mode: 'tc', reason: 'veth has no XDP', isFallback: true };
  kernel.set('lan1', { ifindex: 11, address: '10.1.2.1' });
  await settle();
  kernel.remove('lan1');
  await settle();
  expect(types().slice(before)).toEqual(['interface-down lan1', 'interface-up lan1', 'interface-attached lan1', 'interface-removed lan1']);
});

test('what the forwarder refuses is told once', async () => {
  const { kernel, dataplane, types, run } = await world();
  dataplane.failPort = new Error('EBUSY');
  kernel.set('lan1', { ifindex: 11, address: '10.1.2.7' });
  await run(5000);
  expect(types().filter((one) => one === 'interface-failed lan1')).toHaveLength(1);
});

test('upstreams that go and come', async () => {
  const { kernel, events } = await world();
  kernel.set('up0', { ifindex: 10, address: '10.100.1.1', up: false });
  await settle();
  kernel.set('up0', { ifindex: 10, address: '10.100.1.1' });
  await settle();
  const told = [...events.after(0)].filter(({ type }) => type === 'upstream-changed').map(({ text }) => text);
  expect(told.slice(-2)).toEqual(['no upstream is up: nothing is asked for, and nothing comes', 'upstreams in use: up0']);
});

test('a route that is refused, and then has its place', async () => {
  const { dataplane, join, types, run } = await world();
  dataplane.limit = 0;
  join('lan1');
  dataplane.limit = 9;
  await run(3000);
  expect(types().filter((one) => one.startsWith('route'))).toEqual(['route-refused (*, 239.1.1.1)', 'route-recovered (*, 239.1.1.1)']);
});

test('journals: nothing while nobody watches; then memberships, routes, interfaces and flows', async () => {
  const { router, kernel, dataplane, join, leave, data, run } = await world();
  const { interfaces, memberships, routes, flows } = router.feed;
  join('lan1');
  expect([interfaces, memberships, routes, flows].map(({ sequence }) => sequence)).toEqual([0, 0, 0, 0]);
  for (const journal of [interfaces, memberships, routes, flows]) journal.watch(() => undefined);
  router.feed.interfacesTouched(router.ports);
  const start = interfaces.sequence;
  join('lan2');
  expect(memberships.after(0, 9)?.keys).toEqual([{ interface: 'lan2', group: G }]);
  expect(routes.after(0, 9)?.keys).toMatchObject([{ source: 0, group: G }]);
  data();
  expect(routes.after(0, 9)?.keys).toMatchObject([{ source: 0 }, { source: S }]);
  kernel.set('lan2', { ifindex: 12, address: '10.1.3.1', up: false });
  await settle();
  expect(interfaces.after(start, 9)?.keys).toEqual(['lan2']);
  const before = flows.sequence;
  dataplane.counters.set(`${S}/${G}`, { ...NO_COUNTERS, packets: 5n });
  await run(1000);
  expect(flows.after(before, 9)?.keys).toMatchObject([{ source: S }]);
  const active = flows.sequence;
  await run(1000);
  expect(flows.after(active, 9)?.keys).toMatchObject([{ source: S }]);
  const silent = flows.sequence;
  await run(1000);
  expect(flows.sequence).toBe(silent);
  leave('lan1');
  await run(10_000);
  expect(router.mrib.wantedRoute(0, G)).toBeUndefined();
});

test('tables, entry by entry, are those of the lists', async () => {
  const { state, join, data, punt } = await world();
  join('lan1');
  data();
  punt('lan1', QUERY, 2);
  expect(listed(state.reportTable)).toEqual([{ interface: 'up0', group: G, filter: { mode: 'exclude', sources: [] } }]);
  expect(listed(state.neighborTable)).toMatchObject([{ interface: 'lan1', queries: 1n }]);
  expect(listed(state.routeTable)).toMatchObject([{ source: 0, group: G }, { source: S, group: G }]);
  expect(listed(state.interfaceTable)).toEqual(state.interfaces());
  expect(listed(state.flowTable)).toEqual([...state.flows()]);
  expect(listed(state.membershipTable)).toMatchObject([{ interface: 'lan1', group: G, mode: 'exclude' }]);
  expect(state.membershipTable.read({ interface: 'lan2', group: G })).toBeUndefined();
});

test('neighbours: who asks on a link, until it has been silent for long enough', async () => {
  const { state, punt, run } = await world();
  punt('lan1', QUERY, 2);
  punt('lan1', QUERY, 3);
  punt('lan1', QUERY, '0.0.0.0');
  punt('lan1', QUERY, '192.0.2.1');
  punt('lan1', QUERY, 2);
  punt('up0', QUERY, 254);
  expect(listed(state.neighborTable).map(({ interface: name, address, isQuerier, queries }) => [name, address, isQuerier, queries])).toEqual([
    ['up0', ip('10.100.1.254'), true, 1n],
    ['lan1', ip('10.1.2.2'), false, 2n],
    ['lan1', ip('10.1.2.3'), false, 1n],
  ]);
  await run(300_000);
  expect(listed(state.neighborTable)).toEqual([]);
});

test('journal of neighbours: each query, who is the querier now, silence, and a link that is gone', async () => {
  const { router, kernel, state, punt, run } = await world();
  const { neighbors } = router.feed;
  punt('lan1', QUERY, 3);
  expect(neighbors.sequence).toBe(0);
  neighbors.watch(() => undefined);
  const lan1 = (host: number) => ({ interface: 'lan1', address: ip(`10.1.2.${host}`) });
  let seen = 0;
  const told = () => {
    const { keys = [], sequence = 0 } = neighbors.after(seen, 9) ?? {};
    seen = sequence;
    return keys;
  };
  // lan1 is 10.1.2.1 itself, and the lowest: nobody else is ever the querier there, unlike at the upstream.
  punt('lan1', QUERY, 2);
  expect(told()).toEqual([lan1(2)]);
  const up0 = (host: number) => ({ interface: 'up0', address: ip(`10.100.1.${host}`) });
  punt('up0', QUERY, 254);
  punt('up0', QUERY, 253);
  expect(told()).toEqual([up0(254), up0(253)]);
  expect([up0(254), up0(253)].map((key) => state.neighborTable.read(key)?.isQuerier)).toEqual([false, true]);
  kernel.set('lan1', { ifindex: 11, address: '10.1.2.1', up: false });
  await settle();
  expect(told()).toEqual([lan1(3), lan1(2)]);
  expect(state.neighborTable.read(lan1(2))).toBeUndefined();
  await run(300_000);
  expect(told()).toEqual(expect.arrayContaining([up0(253), up0(254)]));
  expect([...state.neighborTable.keys()]).toEqual([]);
});

test('journal of reports: what is asked for at the upstream, and that it is asked for in another version', async () => {
  const { router, state, punt, join, leave, run } = await world();
  const { reports } = router.feed;
  reports.watch(() => undefined);
  join('lan1');
  const key = { interface: 'up0', group: G };
  expect(reports.after(0, 9)).toMatchObject({ keys: [key], sequence: 1 });
  join('lan2');
  expect(reports.sequence).toBe(1);
  expect(state.reportTable.read(key)).toEqual({ ...key, filter: { mode: 'exclude', sources: [] } });
  const before = reports.sequence;
  punt('up0', { ...QUERY, version: 2 } as IgmpMessage, 254);
  expect(reports.after(before, 9)).toBeUndefined();
  const older = reports.sequence;
  for (const name of ['lan1', 'lan2']) leave(name);
  await run(10_000);
  expect(reports.after(older, 9)?.keys).toEqual([key]);
  expect(state.reportTable.read(key)).toBeUndefined();
});

test('counters from a new base: the API begins at zero, the metrics go on', async () => {
  const { dataplane, state, raw, control, join, data, run } = await world();
  join('lan1');
  data();
  dataplane.installedAtMs = (() => 0) as never;
  dataplane.counters.set(`${S}/${G}`, { ...NO_COUNTERS, packets: 5n, bytes: 500n });
  await run(1000);
  await control.resetCounters({ flows: true, interfaces: true });
  const flow = (of: RouterState) => [...of.flows()].find(({ source }) => source === S)?.packets;
  expect([flow(state), flow(raw)]).toEqual([0n, 5n]);
  expect([state.interfaces()[0]?.rxPackets, raw.interfaces()[0]?.rxPackets]).toEqual([0n, 7n]);
  expect(state.interfaces()[1]?.igmpReceived.size).toBe(0);
  expect(raw.interfaces()[1]?.igmpReceived.size).toBe(1);
  dataplane.counters.set(`${S}/${G}`, { ...NO_COUNTERS, packets: 9n, bytes: 900n });
  await run(1000);
  expect([flow(state), flow(raw)]).toEqual([4n, 9n]);
  expect(state.status().countersResetWallMs).toBeDefined();
});

test('the level of the log, for a while', async () => {
  const { control, log, logLevel, run, types } = await world();
  expect(control.setLogLevel('debug', 5000)).toMatchObject({ level: 'debug', revertWallMs: expect.any(Number) as number });
  expect(log.level).toBe('debug');
  logLevel.follow('warn');
  expect(log.level).toBe('debug');
  await run(5000);
  expect(log.level).toBe('warn');
  control.setLogLevel('trace', 5000);
  expect(control.setLogLevel(undefined, 0)).toEqual({ level: 'warn', revertWallMs: undefined });
  expect(types().filter((one) => one === 'log-level-changed')).toHaveLength(4);
});

test('a trace of what the router really has', async () => {
  const { control, join, data } = await world();
  const ask = (changes = {}) => control.trace({ group: G, source: S, interface: undefined, ttl: 64, bytes: 1000, host: undefined, ...changes });
  expect(ask().summary).toMatch(/^Not forwarded: no entry takes it, and nobody wants it/);
  join('lan1');
  expect(ask().summary).toMatch(/^Forwarded to lan1 by \(\*, 239\.1\.1\.1\)\.$/);
  data();
  expect(ask().summary).toBe('Forwarded to lan1 by (10.100.1.10, 239.1.1.1).');
  expect(ask({ interface: 'lan2' }).summary).toMatch(/wrong_interface/);
  expect(ask({ host: ip('10.1.2.9') }).steps).toContainEqual(expect.objectContaining({ interface: 'lan1', text: '10.1.2.9 has asked for it' }));
  expect(ask({ source: 0 }).forwarded).toBe(true);
});
