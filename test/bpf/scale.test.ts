/**
 * The data plane at full size on the real kernel: 128,000 routes and their counters, 1,024 vports, a route to 256 ports. Limits of time
 * are generous: the machine may be busy; `npm run bench:routes` measures.
 */
import { BpfDataplane } from '../../control/dataplane/bpf-dataplane';
import { NO_COUNTERS, PUNT_CLASSES, type PolicerSettings, type PuntClass } from '../../control/dataplane/api';
import { systemClock } from '../../control/kernel/clock';
import { routeName, type RouteChange, type WantedRoute } from '../../control/mrib/route';
import { bpfObjectPath } from '../../control/paths';
import { RouteSync } from '../../control/router/route-sync';
import { Bed } from '../bench/routes/bed';
import { endure } from '../bench/routes/event-loop';
import { eventually } from '../lab/eventually';

const ROUTES = 128_000;
const VPORTS = 1024;
const FIRST_SOURCE = 0x0a800000;
const FIRST_GROUP = 0xef000000;

const route = (i: number, outgoing: readonly number[]): WantedRoute => ({ source: FIRST_SOURCE + i, group: FIRST_GROUP + (i & 0xfff), incoming: 1, outgoing });
const set = (i: number, ...outgoing: number[]): RouteChange => ({ kind: 'set', route: route(i, outgoing) });
const remove = (i: number): RouteChange => ({ kind: 'remove', key: route(i, []) });
const nameOf = (i: number): string => routeName(route(i, []).source, route(i, []).group);

function open(options: { readonly groupLimit?: number; readonly onRoom?: () => void } = {}): Promise<BpfDataplane> {
  const policer: PolicerSettings = { ratePps: 100, burst: 100, totalPps: 400 };
  return BpfDataplane.open({
    objectPath: bpfObjectPath(),
    pinPath: `/sys/fs/bpf/xmcast-scale-${process.pid}`,
    routeLimit: ROUTES,
    groupLimit: 64,
    ports: VPORTS,
    ...options,
    policers: Object.fromEntries(PUNT_CLASSES.map((name) => [name, policer])) as Record<PuntClass, PolicerSettings>,
    onPunts: () => undefined,
    onTrouble: (message) => expect(message).toBe(''),
    nowMs: systemClock.nowMs,
  });
}

describe('128,000 routes', () => {
  let dataplane: BpfDataplane;
  let sync: RouteSync;
  beforeAll(async () => {
    dataplane = await open();
    sync = new RouteSync({ dataplane, events: { report: () => undefined }, nowMs: systemClock.nowMs, onWritten: () => undefined });
  }, 20_000);
  afterAll(() => dataplane.close());

  async function write(changes: readonly RouteChange[]) {
    return endure(async () => {
      sync.apply(changes, systemClock.nowMs());
      while (sync.waiting > 0) await new Promise(setImmediate);
    });
  }

  const all = Array.from({ length: ROUTES }, (_, i) => set(i, 2 + (i % 8), VPORTS));

  test('are installed with other things going on, and share eight groups', async () => {
    const { stallMs } = await write(all);
    expect(dataplane.usage).toMatchObject({ routes: ROUTES, groups: 8 });
    expect([sync.refused, sync.problemCount]).toEqual([0n, 0]);
    expect(stallMs).toBeLessThan(100);
  }, 20_000);

  test('one more is refused, and says why', () => {
    sync.apply([set(ROUTES, 2)], systemClock.nowMs());
    expect(sync.problemOf(route(ROUTES, []))).toContain(`limits.routes is ${ROUTES}`);
    sync.apply([remove(ROUTES)], systemClock.nowMs());
    expect(sync.problemCount).toBe(0);
  });

  test('all counters are read at once, off the event loop, and every route has its own', async () => {
    const { result, stallMs, wallMs } = await endure(() => dataplane.readCounters());
    expect([...result.routeNames()]).toHaveLength(ROUTES);
    for (const i of [0, 1, 77_777, ROUTES - 1]) expect(result.route(nameOf(i))).toMatchObject({ packets: 0n, copies: 0n });
    expect(result.route(nameOf(ROUTES))).toBeUndefined();
    // No port was ever set, so none has counted.
    expect(result.vport(1)).toBeUndefined();
    expect([...result.activeSince(NO_COUNTERS)].flat()).toEqual([]);
    expect(wallMs).toBeLessThan(1000);
    expect(stallMs).toBeLessThan(100);
  });

  test('a change of all of them at once leaves each route in place', async () => {
    await write(Array.from({ length: ROUTES }, (_, i) => set(i, 5)));
    expect(dataplane.usage).toMatchObject({ routes: ROUTES, groups: 1 });
  }, 20_000);

  test('they go as they came, and their counters can be used again after a rest', async () => {
    const { stallMs } = await write(Array.from({ length: ROUTES }, (_, i) => remove(i)));
    expect(dataplane.usage).toMatchObject({ routes: 0, groups: 0 });
    expect(stallMs).toBeLessThan(100);
    const laterMs = systemClock.nowMs() + 10_000;
    while (dataplane.tick(laterMs) !== undefined) await new Promise(setImmediate);
    sync.apply([set(0, 2)], systemClock.nowMs());
    expect(dataplane.usage.routes).toBe(1);
  }, 20_000);
});

test('a burst of new outgoing sets, more than there are spare groups, is installed as soon as more are made', async () => {
  const sets = 300;
  let rounds = 0;
  const dataplane = await open({
    groupLimit: 512,
    onRoom: () => {
      rounds++;
      sync.retry(systemClock.nowMs());
    },
  });
  const sync = new RouteSync({ dataplane, events: { report: () => undefined }, nowMs: systemClock.nowMs, onWritten: () => undefined });
  try {
    // Each of three ports, no two alike: all of one size class, and beyond it of the larger ones.
    const changes = Array.from({ length: sets }, (_, i) => set(i, 2 + i, 400, 401));
    sync.apply(changes, systemClock.nowMs());
    await eventually(() => sync.waiting === 0 && sync.problemCount === 0, { what: 'every route is installed', timeoutMs: 3000 });
    expect(dataplane.usage).toMatchObject({ routes: sets, groups: sets });
    expect(rounds).toBeGreaterThan(0);
  } finally {
    sync.close();
    await dataplane.close();
  }
}, 20_000);

test('a route to 256 ports: every one of them gets every packet, and the counters agree', async () => {
  const bed = await Bed.create({ ports: 256, routeLimit: 1000, groupLimit: 64 });
  try {
    const packets = 100;
    expect(await bed.ask({ do: 'fanout', ports: 256, packets })).toMatchObject({
      complete: 256,
      fewest: packets,
      most: packets,
      expected: 256 * packets,
      copies: 256 * packets,
    });
  } finally {
    await bed.close();
  }
}, 30_000);
