/** The router as an IGMP proxy (RFC 4605): what goes upstream, which upstream serves, static routes, and a configuration that changes. */
import { toSettings } from '../../../control/config/defaults';
import { buildIgmpFrame } from '../../../control/protocol/igmp/encode';
import { RecordType, type IgmpMessage } from '../../../control/protocol/igmp/message';
import { ip, listed, settle } from './fakes';
import { configOf, G, join, textOf, world, type Config } from './proxy-world';

afterEach(() => jest.useRealTimers());

const record = (type: RecordType, ...sources: string[]): IgmpMessage => ({ kind: 'report-v3', records: [{ type, group: G, sources: sources.map(ip) }] });
const generalQuery = (version: 2 | 3): IgmpMessage => ({
  kind: 'query', version, group: 0, maxResponseTimeMs: 1000, suppressRouterProcessing: false, querierRobustness: version === 3 ? 2 : 0, querierQueryIntervalMs: version === 3 ? 125_000 : 0, sources: [],
});

test('a join downstream is asked for upstream at once, twice in all; the last leave takes it back', async () => {
  const w = await world(configOf(['up0', 'lan1', 'lan2']));
  w.reports('up0');
  w.punt('lan1', join());
  expect(w.reports('up0')).toEqual(['TO_EX 239.1.1.1{}']);
  await w.run(1100);
  expect(w.reports('up0')).toEqual(['TO_EX 239.1.1.1{}']);
  w.punt('lan2', join());
  await w.run(3000);
  expect(w.reports('up0')).toEqual([]);
  w.punt('lan1', { kind: 'leave', group: G });
  w.punt('lan2', { kind: 'leave', group: G });
  await w.run(2050);
  expect(w.reports('up0')[0]).toBe('TO_IN 239.1.1.1{}');
});

test('RFC 4605 4.1: overlapping sources on two interfaces; only the difference is reported', async () => {
  const w = await world(configOf(['up0', 'lan1', 'lan2']));
  w.reports('up0');
  w.punt('lan1', record(RecordType.ALLOW_NEW_SOURCES, '10.0.0.1', '10.0.0.2'));
  await w.run(1100);
  expect(new Set(w.reports('up0'))).toEqual(new Set(['ALLOW 239.1.1.1{10.0.0.1 10.0.0.2}']));
  w.punt('lan2', record(RecordType.ALLOW_NEW_SOURCES, '10.0.0.2', '10.0.0.3'));
  await w.run(1100);
  expect(new Set(w.reports('up0'))).toEqual(new Set(['ALLOW 239.1.1.1{10.0.0.3}']));
  w.punt('lan2', record(RecordType.CHANGE_TO_EXCLUDE_MODE, '10.0.0.1', '10.0.0.9'));
  await w.run(1100);
  // 10.0.0.1 is wanted on lan1.
  expect(new Set(w.reports('up0'))).toEqual(new Set(['TO_EX 239.1.1.1{10.0.0.9}']));
  w.kernel.set('lan2', { ifindex: 12, address: '10.1.3.1', up: false });
  await settle();
  await w.run(1);
  expect(w.reports('up0')).toEqual(['TO_IN 239.1.1.1{10.0.0.1 10.0.0.2}']);
});

test('5,000 groups joined at once go upstream in as few packets as they fit', async () => {
  const w = await world(configOf(['up0', 'lan1'], { igmp: { maxGroups: 10_000, maxGroupsPerHost: 10_000 }, limits: { routes: 20_000 } }));
  w.dataplane.limit = 20_000;
  w.reports('up0');
  const groups = Array.from({ length: 5000 }, (_, i) => G + i);
  const records = groups.map((group) => ({ type: RecordType.CHANGE_TO_EXCLUDE_MODE, group, sources: [] }));
  const vport = w.vport('lan1');
  const punts = Array.from({ length: 50 }, (_, i) => {
    const bytes = buildIgmpFrame({ sourceMac: new Uint8Array(6), source: ip('10.1.2.9'), destination: ip('224.0.0.22'), message: { kind: 'report-v3', records: records.slice(i * 100, i * 100 + 100) } });
    return { class: 'igmp_report' as const, vport, frame: bytes, frameBytes: bytes.length };
  });
  w.router.punted(punts);
  // 1500 bytes: 24 of IP with Router Alert, 8 of the report, 8 for each record.
  expect(w.reports('up0')).toHaveLength(Math.ceil(5000 / Math.floor((1500 - 24 - 8) / 8)));
});

test('an upstream querier of version 2 is followed', async () => {
  const w = await world(configOf(['up0', 'lan1']));
  w.punt('up0', generalQuery(2));
  w.reports('up0');
  w.punt('lan1', join());
  await w.run(20);
  expect(w.reports('up0')).toEqual(['report-v2 239.1.1.1']);
  expect(w.state.interfaces()[0]?.host).toMatchObject({ version: 2, querier: ip('10.100.1.9'), groups: 1 });
});

test('reports of hosts on an upstream make no membership', async () => {
  const w = await world(configOf(['up0', 'lan1']));
  w.punt('up0', join());
  expect(listed(w.state.membershipTable)).toEqual([]);
  expect(w.routes()).toEqual([]);
});

test('an upstream that was away is told everything anew when it returns, with another address and index', async () => {
  const w = await world(configOf(['up0', 'lan1']));
  w.punt('lan1', join());
  await w.run(2000);
  w.kernel.remove('up0');
  await settle();
  w.punt('lan1', join(G + 1));
  await w.run(10_000);
  w.reports('up0');
  w.kernel.set('up0', { ifindex: 77, address: '10.200.0.5' });
  await settle();
  await w.run(10);
  expect(w.reports('up0')).toEqual(['TO_EX 239.1.1.1{}, TO_EX 239.1.1.2{}']);
  expect(w.routes()).toEqual(['* up0 → lan1', '* up0 → lan1']);
});

test('RFC 4605 4.2: streams go to hosts only where we are the querier, unless the configuration says otherwise', async () => {
  const lower = (w: Awaited<ReturnType<typeof world>>): void => w.punt('lan1', generalQuery(3), '10.1.2.0');
  const w = await world(configOf(['up0', 'lan1', 'lan2']));
  w.punt('lan1', join());
  w.punt('lan2', join());
  lower(w);
  expect(w.routes()).toEqual(['* up0 → lan2']);
  expect(w.state.interfaces().map((state) => state.forwardsToHosts)).toEqual([false, false, true]);
  await w.run(256_000);
  expect(w.routes()).toEqual(['* up0 → lan1 lan2']);
  const always = await world(configOf(['up0', 'lan1'], { igmp: { forwardIfNotQuerier: true } }));
  always.punt('lan1', join());
  lower(always);
  expect(always.routes()).toEqual(['* up0 → lan1']);
});

describe('two upstreams', () => {
  const two = (one: object, other: object): Config => ({
    interfaces: [{ name: 'up1', upstream: true, ...one }, { name: 'up2', upstream: true, ...other }, { name: 'lan1' }],
  });

  test('each is asked for the groups it serves', async () => {
    const w = await world(two({ upstreamGroups: ['239.1.0.0/16'] }, {}));
    w.reports('up1');
    w.punt('lan1', join());
    expect(w.reports('up1')).toEqual(['TO_EX 239.1.1.1{}']);
    w.punt('lan1', join(ip('239.2.0.1')));
    expect(w.reports('up2')).toEqual(['TO_EX 239.2.0.1{}']);
    expect(w.routes()).toEqual(['* up1 → lan1', '* up2 → lan1']);
  });

  test('when the first one goes down the second is asked at once, and left when the first returns', async () => {
    const w = await world(two({ upstreamPriority: 1 }, { upstreamPriority: 2 }));
    w.punt('lan1', join());
    await w.run(2000);
    w.data('up1', '10.100.1.20');
    expect(w.routes()).toEqual(['* up1 → lan1', '10.100.1.20 up1 → lan1']);
    w.reports('up1');
    w.kernel.set('up1', { ifindex: 10, address: '10.100.1.1', up: false });
    await settle();
    await w.run(10);
    expect(w.reports('up2')).toEqual(['TO_EX 239.1.1.1{}']);
    expect(w.routes()).toContain('* up2 → lan1');
    w.kernel.set('up1', { ifindex: 10, address: '10.100.1.1' });
    await settle();
    await w.run(10);
    expect(w.reports('up2')).toContain('TO_IN 239.1.1.1{}');
    expect(w.routes()).toContain('* up1 → lan1');
    expect(listed(w.state.reportTable).map((report) => report.interface)).toEqual(['up1']);
  });

  test('together they carry each source by the one by which it comes', async () => {
    const w = await world(two({}, {}));
    w.punt('lan1', join());
    w.data('up2', '192.0.2.1');
    w.data('up1', '192.0.2.2');
    expect(w.routes()).toEqual(['* ? → lan1', '192.0.2.1 up2 → lan1', '192.0.2.2 up1 → lan1']);
  });
});

describe('static routes', () => {
  const staticRoutes = [{ group: '239.1.1.1', upstream: 'up0', downstreams: ['lan1', 'lan2'] }];

  test('replace the dynamic ones of their group while their interfaces are there', async () => {
    const w = await world(configOf(['up0', 'lan1', 'lan2', 'lan3'], { staticRoutes }));
    w.punt('lan3', join());
    expect(w.routes()).toEqual(['* up0 → lan1 lan2']);
    expect(listed(w.state.routeTable)[0]?.isStatic).toBe(true);
    w.kernel.remove('lan2');
    await settle();
    expect(w.routes()).toEqual(['* up0 → lan1']);
    w.kernel.remove('lan1');
    await settle();
    expect(w.routes()).toEqual(['* up0 → lan3']);
    w.kernel.set('lan1', { ifindex: 31, address: '10.1.2.1' });
    await settle();
    expect(w.routes()).toEqual(['* up0 → lan1']);
  });

  test('of prefixes are installed as ranges', async () => {
    const w = await world(configOf(['up0', 'lan1'], { staticRoutes: [{ group: '239.1.0.0/16', source: '10.0.0.0/8', upstream: 'up0', downstreams: ['lan1'] }] }));
    expect(listed(w.state.routeTable)).toMatchObject([{ group: ip('239.1.0.0'), groupLength: 16, source: ip('10.0.0.0'), sourceLength: 8, isStatic: true, installed: true }]);
    expect([...w.dataplane.routes.keys()]).toEqual(['10.0.0.0/8 239.1.0.0/16']);
  });
});

describe('loops', () => {
  test('our own query that comes in by another interface is a condition, for as long as it lasts', async () => {
    const w = await world(configOf(['up0', 'lan1', 'lan2']));
    w.punt('lan2', generalQuery(3), '10.1.2.1');
    expect(w.state.status().conditions).toEqual([expect.stringContaining('IGMP sent by lan1 comes in by lan2')]);
    await w.run(301_000);
    expect(w.state.status().conditions).toEqual([]);
  });

  test('a stream that comes back by an interface it was sent to is one too', async () => {
    const w = await world(configOf(['up0', 'lan1']));
    w.punt('lan1', record(RecordType.ALLOW_NEW_SOURCES, '10.100.1.20'));
    w.data('lan1', '10.100.1.20', 'wrong_interface');
    expect(w.state.status().conditions).toEqual([expect.stringContaining('sent to lan1')]);
  });
});

describe('a configuration that changes', () => {
  test('leaves what it does not concern alone: no query, no report, no route is touched', async () => {
    const config = configOf(['up0', 'lan1', 'lan2']);
    const w = await world(config);
    w.punt('lan1', join());
    await w.run(60_000);
    w.dataplane.sent.length = 0;
    const routes = new Map(w.dataplane.routes);
    await w.router.reconfigure(toSettings(config));
    await w.run(10);
    expect(w.dataplane.sent).toEqual([]);
    expect(w.dataplane.routes).toEqual(routes);
    expect(listed(w.state.membershipTable)).toHaveLength(1);
  });

  test('an interface that is added gets its own number and is asked; one that is removed is left', async () => {
    const w = await world(configOf(['up0', 'lan1', 'lan2']));
    w.punt('lan1', join());
    w.punt('lan2', join());
    w.kernel.set('lan9', { ifindex: 90, address: '10.1.9.1' });
    const removed = w.vport('lan2');
    await w.router.reconfigure(toSettings(configOf(['lan9', 'up0', 'lan1'])));
    await settle();
    expect(w.routes()).toEqual(['* up0 → lan1']);
    expect([...w.dataplane.ports.values()].map(({ name }) => name).sort()).toEqual(['lan1', 'lan9', 'up0']);
    expect(w.vport('lan9')).not.toBe(removed);
    expect(w.reports('lan9')).toEqual(['query 0.0.0.0']);
  });

  test('an upstream that is no upstream any more is left politely, and the new one asked', async () => {
    const w = await world(configOf(['up0', 'lan1', 'lan2']));
    w.punt('lan1', join());
    await w.run(2000);
    const old = w.vport('up0');
    w.dataplane.sent.length = 0;
    const flipped = { interfaces: [{ name: 'up0' }, { name: 'lan1' }, { name: 'lan2', upstream: true }] };
    await w.router.reconfigure(toSettings(flipped));
    await w.run(10);
    expect(w.dataplane.sent.filter((sent) => sent.vport === old).map((sent) => textOf(sent.frame))).toEqual(['TO_IN 239.1.1.1{}']);
    expect(w.reports('lan2')).toContain('TO_EX 239.1.1.1{}');
    expect(w.routes()).toEqual(['* lan2 → lan1']);
  });

  test('static routes and thresholds follow', async () => {
    const names = ['up0', 'lan1'];
    const w = await world(configOf(names));
    const [up, lan] = names.map((name) => ({ name, upstream: name === 'up0', ttlThreshold: 16 }));
    await w.router.reconfigure(toSettings({ interfaces: [up ?? {}, lan ?? {}], staticRoutes: [{ group: '239.9.9.9', upstream: 'up0', downstreams: ['lan1'] }] }));
    await settle();
    expect(w.dataplane.ports.get(w.vport('lan1'))?.ttlThreshold).toBe(16);
    expect(w.dataplane.policers).toMatchObject({ igmp_report: { ratePps: 4000 } });
    expect(w.routes()).toEqual(['* up0 → lan1']);
  });
});

test('SSM mapping: hosts that cannot name sources get those of the mapping, and upstream they are asked for by name', async () => {
  const w = await world(configOf(['up0', 'lan1'], { ssmMapping: { static: [{ group: '232.1.0.0/16', sources: ['10.0.0.7', '10.0.0.8'] }] } }));
  w.reports('up0');
  w.punt('lan1', join(ip('232.1.1.1')));
  w.punt('lan1', join(ip('232.2.1.1')));
  expect(w.reports('up0')).toEqual(['ALLOW 232.1.1.1{10.0.0.7 10.0.0.8}']);
  expect(w.state.interfaces()[1]?.igmpDropped.get('ssm_ignored')).toBe(1n);
  expect(w.routes()).toEqual(['10.0.0.7 up0 → lan1', '10.0.0.8 up0 → lan1']);
  await w.router.reconfigure(toSettings(configOf(['up0', 'lan1'])));
  w.punt('lan1', { kind: 'leave', group: ip('232.1.1.1') });
  await w.run(270_000);
  expect(w.routes()).toEqual([]);
});
