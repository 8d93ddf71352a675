/** A router that begins over routes which are installed: it asks for what they stand for, writes no less in between, and sweeps at the end. */
import type { TakenOver } from '../../../control/dataplane/api';
import { nameOf, type RouteChange, type WantedRoute } from '../../../control/mrib/route';
import { buildIgmpFrame } from '../../../control/protocol/igmp/encode';
import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import { Router } from '../../../control/router/router';
import { RouterState } from '../../../control/router/state';
import { FakeDataplane, FakeKernel, ip, quiet, settings } from './fakes';

const G = ip('239.1.1.1');
const S = ip('10.100.0.10');
/** As the one before had numbered them. */
const [UP, LAN1, LAN2, OLD] = [7, 4, 2, 9];
const HOLD_MS = 900_000;
const STAR: WantedRoute = { source: 0, group: G, incoming: UP, outgoing: [LAN2, LAN1] };
const SOURCE: WantedRoute = { ...STAR, source: S };

class RecordingDataplane extends FakeDataplane {
  readonly applied: RouteChange[] = [];

  override applyRoutes(changes: readonly RouteChange[]) {
    this.applied.push(...changes);
    return super.applyRoutes(changes);
  }
}

async function world(routes: readonly WantedRoute[], { keepOnStop = true, holdTimeMs = HOLD_MS } = {}) {
  jest.useFakeTimers();
  const dataplane = new RecordingDataplane();
  const names = { up0: UP, lan1: LAN1, lan2: LAN2, old0: OLD };
  const takenOver: TakenOver = { ports: Object.entries(names).map(([name, vport]) => ({ name, vport, ifindex: vport })), routes };
  dataplane.takenOver = takenOver;
  for (const route of routes) dataplane.routes.set(nameOf(route), route);
  for (const { vport } of takenOver.ports) dataplane.ports.set(vport, { vport, name: '', ifindex: vport, macAddress: new Uint8Array(6), mtu: 1500, ttlThreshold: 1 });
  const kernel = new FakeKernel();
  kernel.set('up0', { ifindex: 10, address: '10.100.0.1' });
  kernel.set('lan1', { ifindex: 11, address: '10.1.1.1' });
  kernel.set('lan2', { ifindex: 12, address: '10.1.2.1' });
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, nowWallMs: () => 1_700_000_000_000 + nowMs };
  const base = settings('up0', 'lan1', 'lan2', 'lan3');
  const router = new Router({ settings: { ...base, dataplane: { ...base.dataplane, keepOnStop, holdTimeMs } }, dataplane, kernel, clock, log: quiet, readHostGroups: () => Promise.resolve([]) });
  const state = new RouterState({ router, dataplane, clock, version: '1.2.3' });
  const started = router.start().then(() => router.takeOver());
  await jest.advanceTimersByTimeAsync(0);
  await started;
  const run = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1000) {
      nowMs += 1000;
      await jest.advanceTimersByTimeAsync(1000);
    }
  };
  return { dataplane, kernel, router, state, run };
}
afterEach(() => jest.useRealTimers());

function report(vport: number, host: string) {
  const bytes = buildIgmpFrame({ sourceMac: new Uint8Array(6), source: ip(host), destination: G, message: { kind: 'report-v2', group: G } });
  return { class: 'igmp_report' as const, vport, frame: bytes, frameBytes: bytes.length };
}

test('interfaces have the numbers they had; one that is configured no more is let go, a new one gets a free number', async () => {
  const { dataplane, router, kernel } = await world([STAR]);
  expect(router.ports.map(({ name, vport }) => [name, vport])).toEqual([['up0', UP], ['lan1', LAN1], ['lan2', LAN2], ['lan3', 1]]);
  expect([...dataplane.ports.keys()].sort()).toEqual([LAN2, LAN1, UP]);
  kernel.set('lan3', { ifindex: 13, address: '10.1.3.1' });
  await jest.advanceTimersByTimeAsync(0);
  expect(dataplane.ports.get(1)?.name).toBe('lan3');
});

test('a VLAN has its number whatever the kernel calls it, and whether or not the kernel has an interface for it', async () => {
  const dataplane = new RecordingDataplane();
  const places = [{ vport: 3, vlan: 200 }, { vport: 5, vlan: 100 }, { vport: 7 }];
  dataplane.takenOver = { ports: places.map((place) => ({ name: 'lan1', ifindex: 11, ...place })), routes: [] };
  const kernel = new FakeKernel();
  kernel.set('lan1', { ifindex: 11, address: '10.1.1.1' });
  kernel.set('video', { ifindex: 12, kind: 'vlan', address: '10.1.100.1', vlan: { ifindex: 11, id: 100 } });
  const clock = { nowMs: () => 0, nowWallMs: () => 0 };
  const router = new Router({ settings: settings('lan1.300', 'lan1', 'lan1.200', 'video'), dataplane, kernel, clock, log: quiet });
  await router.start();
  expect(router.ports.map(({ name, vport }) => [name, vport])).toEqual([['lan1.300', 1], ['lan1', 7], ['lan1.200', 3], ['video', 5]]);
  await router.close();
});

test('what is installed is never less than it was, and not more than hosts ask for in the end', async () => {
  const outgoing = [LAN2, LAN1];
  const { dataplane, router, state, run } = await world([STAR, SOURCE]);
  for (const change of dataplane.applied) expect(change).toMatchObject({ kind: 'set', route: { outgoing } });
  expect([...dataplane.routes.values()].map((route) => route.outgoing)).toEqual([outgoing, outgoing]);
  expect(state.status().takeover).toEqual({ ports: 4, routes: 2, staleRoutes: 0, unclaimedMemberships: 2, holdEndsAtMs: 1_700_000_000_000 + HOLD_MS });
  await run(5_000);
  router.punted([report(LAN1, '10.1.1.10')]);
  expect(state.status().takeover?.unclaimedMemberships).toBe(1);
  // Nobody keeps lan2 alive; lan1 is by its host.
  for (let passed = 0; passed < HOLD_MS; passed += 100_000) {
    await run(100_000);
    router.punted([report(LAN1, '10.1.1.10')]);
  }
  expect(dataplane.routes.get(nameOf(STAR))).toMatchObject({ outgoing: [LAN1] });
  expect(state.status().takeover).toMatchObject({ staleRoutes: 0, unclaimedMemberships: 0, holdEndsAtMs: undefined });
});

test('what nothing known asks for goes on until the hold time is over', async () => {
  const lost: WantedRoute = { source: 0, group: G + 1, incoming: UP, outgoing: [OLD] };
  const { dataplane, state, run } = await world([lost]);
  expect(state.status().takeover).toMatchObject({ staleRoutes: 1 });
  await run(HOLD_MS - 1000);
  expect(dataplane.routes.has(nameOf(lost))).toBe(true);
  await run(2000);
  expect(dataplane.routes.has(nameOf(lost))).toBe(false);
});

test('without a hold time everything goes at once that only hosts could ask for', async () => {
  const { dataplane } = await world([STAR, SOURCE], { holdTimeMs: 0 });
  expect(dataplane.routes.size).toBe(0);
});

test.each([
  [true, 0],
  [false, 1],
])('a stop that keeps forwarding (%s) sends %i leaves upstream', async (keep, leaves) => {
  const { dataplane, router, run } = await world([STAR]);
  await run(3000);
  const sent = dataplane.sent.length;
  await router.close({ keep });
  const reports = dataplane.sent.slice(sent).filter(({ vport }) => vport === UP);
  expect(reports).toHaveLength(leaves);
  for (const { frame } of reports) expect(decodeIgmpPacket(frame.subarray(14)).ok).toBe(true);
});
