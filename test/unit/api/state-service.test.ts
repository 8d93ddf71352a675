import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { ApiClient } from '../../../control/api/client';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { stateServiceDefinition } from '../../../control/api/services';
import { fromWire } from '../../../control/api/u64';
import { fromWireTime } from '../../../control/api/wire-time';
import {
  FakeState,
  flowState,
  interfaceState,
  ip,
  manyFlows,
  membershipState,
  reportState,
  routeState,
  trackedHost,
  upstreamState,
} from './fake-state';
import { RecordedLog } from './recorded-log';

jest.setTimeout(30_000);

let folder: string;
let state: FakeState;
let server: ApiServer;
let client: ApiClient;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-api-'));
  state = new FakeState();
  const socketPath = path.join(folder, 'control.sock');
  server = await startApiServer({ socketPath, state, log: new RecordedLog() });
  client = new ApiClient({ target: `unix://${socketPath}`, timeoutMs: 5000 });
});

afterEach(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

describe('StateService', () => {
  test('counters above 2^53 arrive exactly', async () => {
    state.flowStates = [flowState({ packets: 2n ** 53n + 1n, bytes: 2n ** 64n - 1n })];
    const [flow] = await client.listFlows({});
    expect(fromWire(flow?.packets)).toBe(9_007_199_254_740_993n);
    expect(fromWire(flow?.bytes)).toBe(18_446_744_073_709_551_615n);
  });

  test('an interface arrives with every field', async () => {
    state.interfaceStates = [
      interfaceState({
        status: 'error',
        problem: 'attach XDP to eth1: EOPNOTSUPP',
        rxPackets: 2n ** 40n,
        drops: new Map([
          ['ttl', 3n],
          ['__proto__', 4n],
        ]),
        querier: { isQuerier: false, address: ip('10.1.0.254'), otherQuerierPresentMs: 254_750 },
      }),
      interfaceState({ name: 'eth0', role: 'upstream', querier: undefined, trunk: { name: 'eth7', vlan: 4094 } }),
    ];
    const [first, second] = await client.listInterfaces({});
    expect(first).toMatchObject({ name: 'eth1', role: 2, status: 4, mode: 2, addresses: ['10.1.0.1/24'], mtu: 1500 });
    expect(first?.problem).toBe('attach XDP to eth1: EOPNOTSUPP');
    expect(fromWire(first?.rxPackets)).toBe(2n ** 40n);
    expect(fromWire(first?.drops?.['ttl'])).toBe(3n);
    expect(first?.querier).toMatchObject({ self: false, address: '10.1.0.254' });
    expect(fromWireTime(first?.querier?.expiresIn)).toBe(254_750);
    expect(second?.querier ?? undefined).toBeUndefined();
    expect([first, second].map((found) => [found?.parent, found?.vlanId])).toEqual([['', 0], ['eth7', 4094]]);
  });

  test('an upstream tells how it reports; nobody heard leaves querier and ages absent', async () => {
    state.interfaceStates = [
      upstreamState({ version: 2, olderVersionMs: 399_500 }, { alternativeSubnets: [{ address: ip('10.9.0.0'), length: 16 }] }),
      upstreamState({ querier: 0, lastQueryMs: undefined }, { name: 'eth9' }),
      interfaceState({ forwardsToHosts: false }),
    ];
    const [heard, silent, downstream] = await client.listInterfaces({});
    expect(heard).toMatchObject({ forwardsToHosts: false, alternativeSubnets: ['10.9.0.0/16'] });
    expect(heard?.igmpHost).toMatchObject({ version: 2, querier: '10.0.0.1', groups: 7 });
    expect(fromWireTime(heard?.igmpHost?.lastQueryAge)).toBe(12_000);
    expect(fromWireTime(heard?.igmpHost?.olderVersionExpiresIn)).toBe(399_500);
    expect(silent?.igmpHost).toMatchObject({ version: 3, querier: '' });
    expect(fromWireTime(silent?.igmpHost?.lastQueryAge)).toBeUndefined();
    expect(fromWireTime(silent?.igmpHost?.olderVersionExpiresIn)).toBeUndefined();
    expect(downstream?.igmpHost ?? undefined).toBeUndefined();
  });

  test('memberships are ordered by interface, then group, and filtered by both', async () => {
    state.membershipStates = [
      membershipState({ interface: 'eth2', group: ip('239.1.1.1') }),
      membershipState({ interface: 'eth1', group: ip('239.200.1.1') }),
      membershipState({
        interface: 'eth1',
        group: ip('232.1.1.1'),
        mode: 'include',
        groupTimerMs: undefined,
        sources: [{ source: ip('10.0.0.5'), forwarded: true, timerMs: 260_000 }],
      }),
    ];
    const names = (list: readonly { interface?: string | null; group?: string | null }[]) =>
      list.map((m) => `${m.interface} ${m.group}`);
    expect(names(await client.listMemberships({}))).toEqual(['eth1 232.1.1.1', 'eth1 239.200.1.1', 'eth2 239.1.1.1']);
    expect(names(await client.listMemberships({ interface: 'eth1', group: '239.0.0.0/8' }))).toEqual(['eth1 239.200.1.1']);
    const [ssm] = await client.listMemberships({ group: '232.1.1.1' });
    expect(ssm?.expiresIn ?? undefined).toBeUndefined();
    expect(ssm?.sources).toMatchObject([{ source: '10.0.0.5', forwarded: true }]);
  });

  test('a source filter leaves (*,G) routes out, no filter shows them as "*"', async () => {
    state.routeStates = [routeState(), routeState({ source: 0, incomingInterface: '' })];
    expect((await client.listRoutes({})).map((route) => route.source)).toEqual(['*', '10.0.0.5']);
    expect((await client.listRoutes({ source: '0.0.0.0/0' })).map((route) => route.source)).toEqual(['10.0.0.5']);
  });

  test('a membership names its hosts by address, with what each of them wants', async () => {
    state.membershipStates = [
      membershipState({
        hosts: [
          trackedHost({ address: ip('10.1.0.20') }),
          trackedHost({ address: ip('10.1.0.3'), version: 2, mode: 'include', sources: [ip('10.0.0.5')], lastReportMs: 250 }),
        ],
        allHostsKnown: false,
      }),
    ];
    const [membership] = await client.listMemberships({});
    expect(membership).toMatchObject({ static: false, hostCount: 2, allHostsKnown: false });
    expect(membership?.hosts).toMatchObject([
      { address: '10.1.0.3', version: 2, filterMode: 1, sources: ['10.0.0.5'] },
      { address: '10.1.0.20', version: 3, filterMode: 2, sources: [] },
    ]);
    expect(fromWireTime(membership?.hosts?.[0]?.age)).toBe(61_000);
    expect(fromWireTime(membership?.hosts?.[0]?.lastReportAge)).toBe(250);
  });

  test.each([
    ['an endless timer', Infinity],
    ['no timer', undefined],
  ])('a group that is only static has no reporter and never expires: %s', async (_name, groupTimerMs) => {
    const sources = [{ source: ip('10.0.0.5'), forwarded: true, timerMs: Infinity }];
    state.membershipStates = [membershipState({ isStatic: true, groupTimerMs, sources, lastReporter: 0, hosts: [] })];
    const [membership] = await client.listMemberships({});
    expect(membership).toMatchObject({ static: true, lastReporter: '', hostCount: 0, hosts: [] });
    expect(fromWireTime(membership?.expiresIn)).toBeUndefined();
    expect(fromWireTime(membership?.sources?.[0]?.expiresIn)).toBeUndefined();
  });

  test('a host that reports from 0.0.0.0 is a reporter', async () => {
    state.membershipStates = [membershipState({ lastReporter: 0 })];
    expect((await client.listMemberships({}))[0]?.lastReporter).toBe('0.0.0.0');
  });

  test('more hosts than a message can hold: counted all, named by address as far as there is room', async () => {
    const hosts = Array.from({ length: 60_000 }, (_, index) => trackedHost({ address: ip('10.64.0.0') + 60_000 - index }));
    state.membershipStates = [1, 2, 3].map((group) => membershipState({ group: ip('239.1.1.0') + group, hosts }));
    const page = await client.call(stateServiceDefinition.listMemberships, {});
    const memberships = await client.listMemberships({});
    expect(page.nextPageToken).not.toBe('');
    expect(memberships.map(({ group, hostCount }) => [group, hostCount])).toEqual([
      ['239.1.1.1', 60_000],
      ['239.1.1.2', 60_000],
      ['239.1.1.3', 60_000],
    ]);
    const named = memberships[0]?.hosts ?? [];
    expect(named.length).toBeGreaterThan(5_000);
    expect(named.length).toBeLessThan(60_000);
    expect(named.slice(0, 2).map((host) => host.address)).toEqual(['10.64.0.1', '10.64.0.2']);
  });

  test('no page of the longest memberships is beyond the 4 MB that clients take by default', async () => {
    const sources = Array.from({ length: 1_000 }, (_, index) => ({
      source: ip('110.100.100.100') + index,
      forwarded: true,
      timerMs: 259_999,
    }));
    const hosts = Array.from({ length: 200 }, (_, index) =>
      trackedHost({ address: ip('100.100.100.100') + index, sources: sources.map(({ source }) => source) }),
    );
    state.membershipStates = Array.from({ length: 100 }, (_, index) =>
      membershipState({ group: ip('239.1.1.1') + index, sources, hosts }),
    );
    const page = await client.call(stateServiceDefinition.listMemberships, { pageSize: 5000 });
    expect(stateServiceDefinition.listMemberships.responseSerialize(page).length).toBeLessThan(4 * 1024 * 1024);
  });

  test('reports are ordered by interface, then group, paged, and filtered by both', async () => {
    state.reportStates = [
      reportState({ interface: 'eth9' }),
      reportState({ group: ip('239.1.1.2'), filter: { mode: 'include', sources: [ip('10.0.0.5'), ip('10.0.0.6')] } }),
      reportState(),
    ];
    const names = (list: readonly { interface?: string | null; group?: string | null }[]) =>
      list.map((r) => `${r.interface} ${r.group}`);
    const all = ['eth0 239.1.1.1', 'eth0 239.1.1.2', 'eth9 239.1.1.1'];
    expect(names(await client.listReports({}))).toEqual(all);
    const first = await client.call(stateServiceDefinition.listReports, { pageSize: 2 });
    const second = await client.call(stateServiceDefinition.listReports, { pageSize: 2, pageToken: first.nextPageToken });
    expect([...names(first.reports), ...names(second.reports)]).toEqual(all);
    expect(second.nextPageToken).toBe('');
    expect(await client.listReports({ interface: 'eth0', group: '239.1.1.2' })).toMatchObject([
      { group: '239.1.1.2', filterMode: 1, sources: ['10.0.0.5', '10.0.0.6'] },
    ]);
  });

  test('1,234 flows in pages of 100: each once, by group, then source', async () => {
    state.flowStates = manyFlows(1234);
    const keys: string[] = [];
    let pageToken = '';
    let pages = 0;
    do {
      const page = await client.call(stateServiceDefinition.listFlows, { pageSize: 100, pageToken });
      keys.push(...page.flows.map((flow) => `${flow.group} ${flow.source}`));
      pageToken = page.nextPageToken;
      pages += 1;
    } while (pageToken !== '');
    const sorted = [...state.flowStates].sort((a, b) => a.group - b.group || a.source - b.source);
    expect(pages).toBe(13);
    expect(keys).toHaveLength(1234);
    expect(new Set(keys).size).toBe(1234);
    expect((await client.listFlows({})).map((flow) => fromWire(flow.packets))).toEqual(sorted.map((flow) => flow.packets));
  });

  test('page_size 0 means 500, and more than 5000 gives 5000', async () => {
    state.flowStates = manyFlows(5100);
    expect((await client.call(stateServiceDefinition.listFlows, {})).flows).toHaveLength(500);
    expect((await client.call(stateServiceDefinition.listFlows, { pageSize: 2_000_000_000 })).flows).toHaveLength(5000);
  });

  test('fresh reads the counters once for a list of several pages, and not at all without it', async () => {
    state.flowStates = manyFlows(6000);
    await client.listFlows({ fresh: false });
    expect(state.refreshes).toBe(0);
    expect(await client.listFlows({ fresh: true })).toHaveLength(6000);
    expect(state.refreshes).toBe(1);
  });

  test('fresh waits for the read', async () => {
    state.onRefresh = async () => {
      await Promise.resolve();
      state.flowStates = [flowState({ packets: 42n })];
    };
    const [flow] = await client.listFlows({ fresh: true });
    expect(fromWire(flow?.packets)).toBe(42n);
  });
});

describe('ranges', () => {
  /** [source, sourceLength, group, groupLength] */
  const range = (source: string, sourceLength: number, group: string, groupLength: number) => ({
    source: ip(source),
    sourceLength,
    group: ip(group),
    groupLength,
  });
  const everything = range('0.0.0.0', 0, '224.0.0.0', 4);
  const wide = range('0.0.0.0', 0, '239.1.0.0', 16);
  const fromSubnet = range('10.0.0.0', 8, '239.1.0.0', 16);
  const oneGroup = range('10.0.0.0', 8, '239.1.0.0', 32);
  const star = { source: 0, group: ip('239.1.0.0') };
  const exact = { source: ip('10.0.0.0'), group: ip('239.1.0.0') };

  beforeEach(() => {
    const all = [exact, star, oneGroup, fromSubnet, wide, everything];
    state.routeStates = all.map((key) => routeState({ ...key, isStatic: true }));
    state.flowStates = all.map((key) => flowState(key));
  });

  test('source and group are prefixes; the wider one comes first', async () => {
    const names = (await client.listRoutes({})).map((route) => `${route.source} ${route.group} ${route.static}`);
    expect(names).toEqual([
      '* 224.0.0.0/4 true',
      '* 239.1.0.0/16 true',
      '10.0.0.0/8 239.1.0.0/16 true',
      '* 239.1.0.0 true',
      '10.0.0.0/8 239.1.0.0 true',
      '10.0.0.0 239.1.0.0 true',
    ]);
    expect((await client.listFlows({})).map((flow) => `${flow.source} ${flow.group} true`)).toEqual(names);
  });

  test('pages of one do not confuse a range with the exact route of the same addresses', async () => {
    state.flowStates.push(flowState({ ...range('0.0.0.0', 0, '239.1.0.0', 32), packets: 7n }));
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await client.call(stateServiceDefinition.listFlows, { pageSize: 1, pageToken });
      seen.push(...page.flows.map((flow) => `${flow.source} ${flow.group} ${fromWire(flow.packets)}`));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toHaveLength(7);
    expect(new Set(seen).size).toBe(7);
  });

  test.each([
    ['one group within', { group: '239.1.7.7' }, ['* 224.0.0.0/4', '* 239.1.0.0/16', '10.0.0.0/8 239.1.0.0/16']],
    ['a group outside of all but the widest', { group: '239.2.0.1' }, ['* 224.0.0.0/4']],
    [
      'a prefix above',
      { group: '239.0.0.0/8', source: '10.0.0.0' },
      ['10.0.0.0/8 239.1.0.0/16', '10.0.0.0/8 239.1.0.0', '10.0.0.0 239.1.0.0'],
    ],
    ['a source within', { source: '10.7.7.7' }, ['10.0.0.0/8 239.1.0.0/16', '10.0.0.0/8 239.1.0.0']],
    ['every source', { source: '0.0.0.0/0' }, ['10.0.0.0/8 239.1.0.0/16', '10.0.0.0/8 239.1.0.0', '10.0.0.0 239.1.0.0']],
    ['a source outside', { source: '192.0.2.1' }, []],
    ['a lower prefix of the same length', { group: '239.0.0.0/16' }, ['* 224.0.0.0/4']],
    ['a higher prefix of the same length', { group: '239.2.0.0/16' }, ['* 224.0.0.0/4']],
  ])('a filter finds the ranges it overlaps: %s', async (_name, filter, wanted) => {
    expect((await client.listRoutes(filter)).map((route) => `${route.source} ${route.group}`)).toEqual(wanted);
    expect((await client.listFlows(filter)).map((flow) => `${flow.source} ${flow.group}`)).toEqual(wanted);
  });
});
