import {
  flowState,
  interfaceState,
  ip,
  membershipState,
  reportState,
  routeState,
  trackedHost,
  upstreamState,
} from '../api/fake-state';
import { CliUnderTest } from './cli-under-test';

let cli: CliUnderTest;

beforeEach(async () => {
  cli = await new CliUnderTest().start();
});

afterEach(() => cli.close());

describe('tables', () => {
  test('status', async () => {
    cli.state.statusState = { ...cli.state.statusState, startedAtMs: Date.now() - 125_000, conditions: ['eth3: no native XDP'] };
    const { status, stdout } = await cli.run(['status']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Version: +0\.1\.0-test$/m);
    expect(stdout).toMatch(/^Uptime: +2m0[56]s$/m);
    expect(stdout).toMatch(/^Routes: +2 of 4,096$/m);
    expect(stdout).toMatch(/^Memberships: +3$/m);
    expect(stdout).toMatch(/^Membership limit: +2 of 131,072$/m);
    expect(stdout).toMatch(/^ {2}! eth3: no native XDP$/m);
  });

  test('interfaces, with the problem beneath', async () => {
    cli.state.interfaceStates = [
      interfaceState({
        rxPackets: 1_234_567n,
        rxBytes: 1_624_690_172n,
        drops: new Map([
          ['ttl_expired', 3n],
          ['no_route', 4n],
        ]),
      }),
      interfaceState({
        name: 'eth9',
        role: 'upstream',
        status: 'no-address',
        problem: 'eth9 has no IPv4 address',
        addresses: [],
        querier: undefined,
      }),
    ];
    const [head, first, second, problem] = await cli.lines('interfaces');
    expect(head?.split(/ {2,}/)).toEqual([
      'NAME',
      'ROLE',
      'STATUS',
      'MODE',
      'ADDRESS',
      'RX PACKETS',
      'RX BYTES',
      'TX PACKETS',
      'TX BYTES',
      'DROPS',
      'QUERIER',
    ]);
    expect(first?.split(/ {2,}/)).toEqual([
      'eth1',
      'downstream',
      'forwarding',
      'xdp',
      '10.1.0.1/24',
      '1,234,567',
      '1.62 GB',
      '0',
      '0 B',
      '7',
      'self, IGMPv3',
    ]);
    expect(second).toMatch(/^eth9 +upstream +no-address +xdp +- /);
    expect(problem).toBe('eth9: eth9 has no IPv4 address');
  });

  test.each([
    ['queries heard', upstreamState(), 'v3 from 10.0.0.1 12s ago'],
    ['an older querier', upstreamState({ version: 2, olderVersionMs: 60_000 }), 'v2 from 10.0.0.1 12s ago'],
    ['nobody asks', upstreamState({ querier: 0, lastQueryMs: undefined }), 'v3, none heard'],
    [
      'another querier',
      interfaceState({ querier: { isQuerier: false, address: ip('10.1.0.2'), otherQuerierPresentMs: 254_750 } }),
      '10.1.0.2 for 4m14s',
    ],
    ['link down', interfaceState({ querier: { isQuerier: false, address: 0, otherQuerierPresentMs: undefined } }), 'none'],
  ])('interfaces, who asks there: %s', async (_name, entry, words) => {
    cli.state.interfaceStates = [entry];
    const { interfaces } = JSON.parse((await cli.run(['interfaces', '-o', 'json'])).stdout) as { interfaces: unknown[] };
    expect(interfaces).toHaveLength(1);
    expect((await cli.lines('interfaces'))[1]?.split(/ {2,}/).at(-1)).toBe(words);
  });

  test('interfaces: a link whose hosts get nothing because another router is the querier has a line of its own', async () => {
    const querier = { isQuerier: false, address: ip('10.1.0.2'), otherQuerierPresentMs: 254_750 };
    cli.state.interfaceStates = [
      interfaceState({ querier, forwardsToHosts: false }),
      interfaceState({ name: 'eth2', querier, forwardsToHosts: true }),
      upstreamState(),
    ];
    expect((await cli.lines('interfaces')).slice(4)).toEqual([
      'eth1: nothing is forwarded to the hosts here: 10.1.0.2 is the querier (see forward_if_not_querier).',
    ]);
  });

  test('interfaces: one that is not in XDP mode says why', async () => {
    cli.state.interfaceStates = [interfaceState({ mode: 'tc', modeReason: 'veth devices may carry unfinished checksums' })];
    const lines = await cli.lines('interfaces');
    expect(lines[1]).toMatch(/^eth1 +downstream +forwarding +tc /);
    expect(lines[2]).toBe('eth1: tc mode, slower than XDP: veth devices may carry unfinished checksums.');
  });

  test('one downstream interface: everything about it, then its counters by reason', async () => {
    cli.state.interfaceStates = [
      interfaceState({
        rxPackets: 12_345n,
        rxBytes: 1_624_690n,
        txPackets: 3n,
        ttlThreshold: 16,
        alternativeSubnets: [{ address: ip('10.9.0.0'), length: 16 }],
        drops: new Map([['ttl_expired', 3n]]),
        igmpReceived: new Map([['leave', 12n]]),
        igmpDropped: new Map([['access_denied', 9n]]),
      }),
    ];
    expect(await cli.lines('interfaces', '-i', 'eth1')).toEqual([
      'Name:                 eth1',
      'Role:                 downstream',
      'Status:               forwarding',
      'Mode:                 xdp',
      'VLAN:                 -',
      'Interface index:      3',
      'MAC address:          02:00:00:00:00:01',
      'MTU:                  1500',
      'Addresses:            10.1.0.1/24',
      'Source address:       10.1.0.1',
      'Alternative subnets:  10.9.0.0/16',
      'TTL threshold:        16',
      'Querier:              self, IGMPv3',
      'IGMP version:         3',
      'Forwards to hosts:    yes',
      'Groups:               2',
      'Received:             12,345 packets, 1.62 MB',
      'Taken by a route:     9 packets',
      'Sent on late:         1 packets',
      'Sent by the router:   2 packets',
      'Transmitted:          3 packets, 0 B',
      '',
      'COUNTER        KIND           COUNT',
      'dropped        ttl_expired        3',
      'igmp received  leave             12',
      'igmp dropped   access_denied      9',
    ]);
  });

  test('one upstream interface: how it reports, and what is wrong with it', async () => {
    const changes = {
      status: 'absent',
      problem: 'No interface named eth0 exists',
      mode: 'none',
      addresses: [],
      macAddress: '',
      ifindex: 0,
    } as const;
    cli.state.interfaceStates = [upstreamState({ version: 2, olderVersionMs: 399_500 }, changes)];
    const { stdout } = await cli.run(['interfaces', '-i', 'eth0']);
    expect(stdout).toMatch(/^Querier: +v2 from 10\.0\.0\.1 12s ago$/m);
    expect(stdout).toMatch(/^Reports in version: +2, because of an older querier, for 6m39s$/m);
    expect(stdout).toMatch(/^Groups reported: +7$/m);
    expect(stdout).toMatch(/^Source address: +-$/m);
    expect(stdout).toMatch(/^ {2}! No interface named eth0 exists$/m);
    expect(stdout).not.toMatch(/^(Forwards|COUNTER)/m);
  });

  test('memberships: the longest source timer stands for an INCLUDE group', async () => {
    const sources = [1, 2, 3, 4, 5, 6].map((host) => ({
      source: ip('10.0.0.0') + host,
      forwarded: host !== 2,
      timerMs: host * 10_000,
    }));
    cli.state.membershipStates = [
      membershipState(),
      membershipState({ group: ip('232.1.1.1'), mode: 'include', groupTimerMs: undefined, sources, allHostsKnown: false }),
    ];
    const [head, ssm, asm] = await cli.cells('memberships');
    expect(head).toEqual([
      'INTERFACE',
      'GROUP',
      'MODE',
      'VERSION',
      'KIND',
      'HOSTS',
      'EXPIRES',
      'AGE',
      'LAST REPORTER',
      'SOURCES',
    ]);
    const named = '10.0.0.1 -10.0.0.2 10.0.0.3 10.0.0.4';
    expect(ssm).toEqual([
      'eth1',
      '232.1.1.1',
      'include',
      'IGMPv3',
      'dynamic',
      '1+',
      '1m00s',
      '1m01s',
      '10.1.0.9',
      `${named} and 2 more`,
    ]);
    expect(asm).toEqual(['eth1', '239.1.1.1', 'exclude', 'IGMPv3', 'dynamic', '1', '2m05s', '1m01s', '10.1.0.9', '-']);
    expect((await cli.run(['memberships', '-o', 'wide'])).stdout).toContain(`${named} 10.0.0.5 10.0.0.6\n`);
  });

  test('memberships: one that is only static never expires', async () => {
    cli.state.membershipStates = [membershipState({ isStatic: true, groupTimerMs: undefined, hosts: [], lastReporter: 0 })];
    expect((await cli.lines('memberships'))[1]?.split(/ {2,}/).slice(4)).toEqual(['static', '0', 'never', '1m01s', '-', '-']);
  });

  test('memberships --hosts: a line for each host, and for those that nobody knows', async () => {
    cli.state.membershipStates = [
      membershipState({
        hosts: [
          trackedHost({ address: ip('10.1.0.20'), sources: [ip('10.0.0.7')] }),
          trackedHost({ address: ip('10.1.0.3'), version: 2, lastReportMs: 200_000 }),
        ],
        allHostsKnown: false,
      }),
      membershipState({ group: ip('239.1.1.2'), isStatic: true, hosts: [], lastReporter: 0 }),
    ];
    expect(await cli.cells('memberships', '--hosts')).toEqual([
      ['INTERFACE', 'GROUP', 'HOST', 'VERSION', 'MODE', 'AGE', 'LAST REPORT', 'SOURCES'],
      ['eth1', '239.1.1.1', '10.1.0.3', 'IGMPv2', 'exclude', '1m01s', '3m20s', '-'],
      ['eth1', '239.1.1.1', '10.1.0.20', 'IGMPv3', 'exclude', '1m01s', '4.5s', '-10.0.0.7'],
      ['eth1', '239.1.1.1', 'perhaps others', '-', '-', '-', '-', '-'],
      ['eth1', '239.1.1.2', 'none, static', '-', '-', '-', '-', '-'],
    ]);
  });

  test('memberships --hosts says how many the daemon did not name', async () => {
    const hosts = Array.from({ length: 10_000 }, (_, index) => trackedHost({ address: ip('10.64.0.0') + index }));
    cli.state.membershipStates = [membershipState({ hosts })];
    const [last = ''] = (await cli.lines('memberships', '--hosts')).slice(-1);
    const { memberships } = JSON.parse((await cli.run(['memberships', '-o', 'json'])).stdout) as {
      memberships: { hosts: unknown[] }[];
    };
    expect(last).toMatch(new RegExp(`^eth1 +239\\.1\\.1\\.1 +${10_000 - (memberships[0]?.hosts.length ?? 0)} more `));
  });

  test('reports: what each upstream is asked for', async () => {
    cli.state.reportStates = [
      reportState({ filter: { mode: 'include', sources: [ip('10.0.0.5')] } }),
      reportState({ interface: 'eth9', filter: { mode: 'exclude', sources: [ip('10.0.0.6')] } }),
    ];
    expect(await cli.cells('reports')).toEqual([
      ['INTERFACE', 'GROUP', 'MODE', 'SOURCES'],
      ['eth0', '239.1.1.1', 'include', '10.0.0.5'],
      ['eth9', '239.1.1.1', 'exclude', '-10.0.0.6'],
    ]);
    expect(await cli.lines('reports', '-i', 'eth9')).toHaveLength(2);
  });

  test('routes', async () => {
    cli.state.routeStates = [
      routeState(),
      routeState({ source: 0, incomingInterface: '', outgoingInterfaces: [], installed: false, problem: 'table full' }),
      routeState({ source: ip('10.0.0.0'), sourceLength: 8, group: ip('239.0.0.0'), groupLength: 9, isStatic: true }),
    ];
    const [, range, star, sg] = await cli.lines('routes');
    expect(range).toMatch(/^10\.0\.0\.0\/8 +239\.0\.0\.0\/9 +eth0 +eth1 +static +5s +yes$/);
    expect(star).toMatch(/^\* +239\.1\.1\.1 +any +- +dynamic +5s +no: table full$/);
    expect(sg).toMatch(/^10\.0\.0\.5 +239\.1\.1\.1 +eth0 +eth1 +dynamic +5s +yes$/);
  });

  test('flows: columns line up, numbers to the right', async () => {
    cli.state.flowStates = [
      flowState(),
      flowState({ group: ip('239.1.1.2'), packets: 2n ** 64n - 1n, bitsPerSecond: 12_345_678 }),
    ];
    const [head, first, second] = await cli.lines('flows');
    const end = (head ?? '').indexOf('PACKETS') + 'PACKETS'.length;
    expect(first?.slice(0, end)).toMatch(/ 1,000$/);
    expect(second?.slice(0, end)).toMatch(/ 18,446,744,073,709,551,615$/);
    expect(second).toContain('12.3 Mb/s');
    expect(cli.state.refreshes).toBe(1);
  });

  test('escape sequences in names do not reach the terminal', async () => {
    cli.state.flowStates = [flowState({ incomingInterface: '\u001b[31mred\u009b' })];
    const { stdout } = await cli.run(['flows'], {
      isTerminal: true,
      env: { XMCAST_TARGET: `unix://${cli.socketPath}`, NO_COLOR: '1' },
    });
    expect(stdout).toContain('?[31mred?');
    expect(stdout).not.toContain('\u001b');
  });

  test('titles are bold on a terminal only, and NO_COLOR is obeyed', async () => {
    expect((await cli.run(['flows'], { isTerminal: true })).stdout).toContain('\u001b[1mSOURCE');
    expect((await cli.run(['flows'])).stdout).not.toContain('\u001b');
  });
});
