/**
 * From a file to the settings of the rooms: every default, every field, and what an interface overrides.
 */
import { checkConfigText } from '../../../control/config/check';
import { toSettings } from '../../../control/config/defaults';
import type { IgmpSettings, Settings } from '../../../control/config/settings';

function settingsOf(yaml: string): Settings {
  const { config, problems } = checkConfigText(yaml);
  expect(problems).toEqual([]);
  return toSettings(config!);
}

const DEFAULT_IGMP = {
  version: 3,
  timing: {
    robustness: 2,
    queryIntervalMs: 125_000,
    queryResponseIntervalMs: 10_000,
    lastMemberQueryIntervalMs: 1_000,
    lastMemberQueryCount: 2,
    startupQueryIntervalMs: 31_250,
    startupQueryCount: 2,
  },
  limits: { groups: 4096, sourcesPerGroup: 128, groupsPerHost: 4096, trackedHosts: 65_536, exceptions: [] },
  acceptOffSubnet: false,
  requireRouterAlert: false,
  ssmRange: { address: 0xe8000000, length: 8 },
  queriers: [],
  ignoreV1: false,
  ignoreV2: false,
  quickLeave: 'off',
  access: [],
  staticGroups: [],
};

test('an upstream and nothing more: all groups, all sources, reports of version 3', () => {
  expect(settingsOf('interfaces: [{name: eth0, upstream: true}]').interfaces[0]?.upstream).toEqual({
    groups: [],
    sources: [],
    priority: 100,
    host: { version: 3, robustness: 2, unsolicitedReportIntervalMs: undefined, olderVersionQuerierTimeoutMs: 400_000 },
  });
});

test('a name alone: everything else is the default', () => {
  expect(settingsOf('interfaces: [{name: eth0}]')).toEqual({
    interfaces: [
      {
        name: 'eth0',
        addresses: [],
        upstream: undefined,
        ttlThreshold: 1,
        boundaries: [],
        alternativeSubnets: [],
        forwardIfNotQuerier: false,
        mode: 'auto',
        joinGroups: [],
        igmp: DEFAULT_IGMP,
      },
    ],
    limits: { routes: 16_384, replicationGroups: 512, sourceIdleMs: 210_000, memberships: 131_072, staticEntries: 131_072 },
    staticRoutes: [],
    ssmMapping: { static: [], dnsDomain: undefined, dnsServers: [], anySourceV3: false },
    dataplane: {
      pinPath: '/sys/fs/bpf/xmcast',
      policers: {
        igmp_report: { ratePps: 4000, burst: 4000, totalPps: 16_000 },
        igmp_query: { ratePps: 50, burst: 50, totalPps: 200 },
        pim: { ratePps: 2000, burst: 2000, totalPps: 8000 },
        new_source: { ratePps: 1000, burst: 2000, totalPps: 4000 },
        no_route: { ratePps: 1000, burst: 2000, totalPps: 4000 },
        wrong_interface: { ratePps: 100, burst: 100, totalPps: 400 },
      },
      counterIntervalMs: 1_000,
      holdTimeMs: 900_000,
      keepOnStop: true,
      verifyIntervalMs: 5_000,
    },
    api: {
      socketPath: '/run/xmcast/control.sock',
      socketGroup: undefined,
      listen: [],
      tls: undefined,
      roles: [],
      limits: { connections: 64, connectionsPerClient: 16, requestsPerSecond: 1000, unixConnections: 64, watchers: 64, streamsPerConnection: 100, requestBytes: 4_194_304 },
    },
    metrics: { host: '127.0.0.1', port: 9469 },
    logLevel: 'info',
  });
});

const FULL = `
interfaces:
  - name: eth7
    upstream: true
    ttl_threshold: 33
    mode: tc
    boundaries: [239.255.0.0/16, 239.192.0.1]
    alternative_subnets: [10.9.0.0/16, 0.0.0.0/0]
    upstream_groups: [239.0.0.0/8]
    upstream_sources: [192.0.2.7]
    upstream_priority: 0
    igmp_host: {version: 2, robustness: 7, unsolicited_report_interval: 2.5s, older_version_querier_timeout: 10s}
  - name: eth8
    mode: xdp
    static_groups:
      - {group: 239.1.1.1}
      - {group: 239.1.1.2, sources: [10.0.0.1, 10.0.0.2, 10.0.0.1]}
igmp:
  version: 2
  robustness: 3
  query_interval: 60s
  query_response_interval: 5.5s
  last_member_query_interval: 0.2s
  last_member_query_count: 4
  startup_query_interval: 7s
  startup_query_count: 5
  max_groups: 11
  max_sources_per_group: 12
  accept_off_subnet: true
  require_router_alert: true
  ssm_range: 239.232.0.0/16
  quick_leave: tracked
  ignore_v1: true
  ignore_v2: true
  max_groups_per_host: 13
  max_tracked_hosts: 14
  limit_exceptions: [239.7.0.0/16]
  access:
    - {action: deny, group: 239.9.0.0/16, source: 10.3.0.0/16, reporter: 0.0.0.0/32}
    - {action: permit}
  queriers: [10.0.0.0/30]
  forward_if_not_querier: true
limits:
  routes: 1000
  replication_groups: 200
  source_idle_timeout: 30s
  memberships: 2000
  static_entries: 3000
static_routes:
  - {group: 239.10.0.0/16, source: 10.4.0.0/16, upstream: eth8, downstreams: [eth7], ttl_threshold: 9}
  - {group: 239.11.1.1, upstream: eth7}
ssm_mapping:
  static: [{group: 232.1.0.0/16, sources: [10.0.0.3]}]
  dns_domain: SSM.Example.net.
  dns_servers: [192.0.2.53, "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]", "[2001:db8::53]:5353"]
  any_source_v3: true
dataplane:
  pin_path: /sys/fs/bpf/other
  counter_interval: 0.25s
  hold_time: 0s
  keep_on_stop: false
  verify_interval: 2s
  policers:
    igmp_report: {rate: 1, burst: 2, total: 3}
    igmp_query: {rate: 3, burst: 4}
    pim: {rate: 10}
    new_source: {rate: 5, burst: 6}
    no_route: {rate: 7, burst: 8}
    wrong_interface: {rate: 9}
api:
  socket: /tmp/x.sock
  socket_group: ops
  listen: ["[::1]:9470"]
  tls: { certificate: /etc/x/own.pem, key: /etc/x/own.key, client_ca: /etc/x/ca.pem, crl: /etc/x/ca.crl }
  roles: [{ match: "spiffe://example.org/ops/*", role: operator }]
  limits: { connections: 5, connections_per_client: 4, requests_per_second: 3, unix_connections: 6, watchers: 7, streams_per_connection: 8, request_bytes: 65536 }
metrics:
  listen: "[fe80::1%eth0]:9000"
log_level: trace
`;

const FULL_IGMP: IgmpSettings = {
  version: 2,
  timing: {
    robustness: 3,
    queryIntervalMs: 60_000,
    queryResponseIntervalMs: 5_500,
    lastMemberQueryIntervalMs: 200,
    lastMemberQueryCount: 4,
    startupQueryIntervalMs: 7_000,
    startupQueryCount: 5,
  },
  limits: {
    groups: 11,
    sourcesPerGroup: 12,
    groupsPerHost: 13,
    trackedHosts: 14,
    exceptions: [{ address: 0xef070000, length: 16 }],
  },
  acceptOffSubnet: true,
  requireRouterAlert: true,
  ssmRange: { address: 0xefe80000, length: 16 },
  queriers: [{ address: 0x0a000000, length: 30 }],
  ignoreV1: true,
  ignoreV2: true,
  quickLeave: 'tracked',
  access: [
    {
      permit: false,
      group: { address: 0xef090000, length: 16 },
      source: { address: 0x0a030000, length: 16 },
      reporter: { address: 0, length: 32 },
    },
    // Left out: every group, joins with and without sources, every host.
    { permit: true, group: { address: 0xe0000000, length: 4 }, source: undefined, reporter: { address: 0, length: 0 } },
  ],
  staticGroups: [],
};

const FULL_SETTINGS: Settings = {
  interfaces: [
    {
      name: 'eth7',
      addresses: [],
      upstream: {
        groups: [{ address: 0xef000000, length: 8 }],
        sources: [{ address: 0xc0000207, length: 32 }],
        priority: 0,
        host: { version: 2, robustness: 7, unsolicitedReportIntervalMs: 2_500, olderVersionQuerierTimeoutMs: 10_000 },
      },
      ttlThreshold: 33,
      boundaries: [
        { address: 0xefff0000, length: 16 },
        { address: 0xefc00001, length: 32 },
      ],
      alternativeSubnets: [
        { address: 0x0a090000, length: 16 },
        { address: 0, length: 0 },
      ],
      forwardIfNotQuerier: true,
      mode: 'tc',
      joinGroups: [],
      igmp: FULL_IGMP,
    },
    {
      name: 'eth8',
      addresses: [],
      upstream: undefined,
      ttlThreshold: 1,
      boundaries: [],
      alternativeSubnets: [],
      forwardIfNotQuerier: true,
      mode: 'xdp',
      joinGroups: [],
      igmp: {
        ...FULL_IGMP,
        staticGroups: [
          { group: 0xef010101, sources: [] },
          // Each source once.
          { group: 0xef010102, sources: [0x0a000001, 0x0a000002] },
        ],
      },
    },
  ],
  limits: { routes: 1000, replicationGroups: 200, sourceIdleMs: 30_000, memberships: 2000, staticEntries: 3000 },
  staticRoutes: [
    {
      group: { address: 0xef0a0000, length: 16 },
      source: { address: 0x0a040000, length: 16 },
      upstream: 'eth8',
      downstreams: ['eth7'],
      ttlThreshold: 9,
    },
    { group: { address: 0xef0b0101, length: 32 }, source: undefined, upstream: 'eth7', downstreams: [], ttlThreshold: 0 },
  ],
  ssmMapping: {
    static: [{ group: { address: 0xe8010000, length: 16 }, sources: [0x0a000003] }],
    dnsDomain: 'ssm.example.net',
    dnsServers: ['192.0.2.53:53', '192.0.2.53:5353', '[2001:db8::53]:53', '[2001:db8::53]:53', '[2001:db8::53]:5353'],
    anySourceV3: true,
  },
  dataplane: {
    pinPath: '/sys/fs/bpf/other',
    policers: {
      igmp_report: { ratePps: 1, burst: 2, totalPps: 3 },
      igmp_query: { ratePps: 3, burst: 4, totalPps: 12 },
      pim: { ratePps: 10, burst: 10, totalPps: 40 },
      new_source: { ratePps: 5, burst: 6, totalPps: 20 },
      no_route: { ratePps: 7, burst: 8, totalPps: 28 },
      // Without a burst: as many as rate. Without a total: four times the rate.
      wrong_interface: { ratePps: 9, burst: 9, totalPps: 36 },
    },
    counterIntervalMs: 250,
    holdTimeMs: 0,
    keepOnStop: false,
    verifyIntervalMs: 2_000,
  },
  api: {
    socketPath: '/tmp/x.sock',
    socketGroup: 'ops',
    listen: [{ host: '::1', port: 9470 }],
    tls: { certificate: '/etc/x/own.pem', key: '/etc/x/own.key', clientCa: '/etc/x/ca.pem', crl: '/etc/x/ca.crl' },
    roles: [{ match: 'spiffe://example.org/ops/*', role: 'operator' }],
    limits: { connections: 5, connectionsPerClient: 4, requestsPerSecond: 3, unixConnections: 6, watchers: 7, streamsPerConnection: 8, requestBytes: 65_536 },
  },
  metrics: { host: 'fe80::1%eth0', port: 9000 },
  logLevel: 'trace',
};

test('every field set is every field in the settings', () => expect(settingsOf(FULL)).toEqual(FULL_SETTINGS));

test('lowerCamelCase, as ProtoJSON writes it, and JSON mean the same', () => {
  const camelCase = FULL.replace(/([a-z_0-9]+):/g, (key) =>
    key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
  );
  expect(camelCase).toContain('lastMemberQueryInterval');
  expect(camelCase).toContain('ignoreV1');
  expect(settingsOf(camelCase)).toEqual(FULL_SETTINGS);
  expect(settingsOf('{"interfaces": [{"name": "eth0", "ttlThreshold": "9"}], "metrics": {"listen": "off"}}')).toMatchObject({
    interfaces: [{ name: 'eth0', ttlThreshold: 9 }],
    metrics: undefined,
  });
});

describe('overrides of an interface', () => {
  const yaml = `
interfaces:
  - name: plain
  - name: own
    igmp: {query_interval: 40s, robustness: 5, accept_off_subnet: false}
  - name: empty
    igmp:
igmp: {query_interval: 80s, query_response_interval: 8s, robustness: 4, accept_off_subnet: true, startup_query_count: 1}
`;
  const [plain, own, empty] = settingsOf(yaml).interfaces.map(({ igmp }) => igmp);

  test('those without have the common values', () => {
    expect(plain).toMatchObject({ acceptOffSubnet: true, timing: { queryIntervalMs: 80_000, robustness: 4 } });
    expect(empty).toEqual(plain);
  });

  test('replace value by value, a false one too', () => {
    expect(own).toMatchObject({ acceptOffSubnet: false, timing: { queryIntervalMs: 40_000, queryResponseIntervalMs: 8_000 } });
  });

  test('defaults with a formula follow the values of the interface (RFC 3376 §8.6, §8.7, §8.9)', () => {
    expect(own?.timing).toMatchObject({ startupQueryIntervalMs: 10_000, lastMemberQueryCount: 5, startupQueryCount: 1 });
    expect(plain?.timing).toMatchObject({ startupQueryIntervalMs: 20_000, lastMemberQueryCount: 4 });
  });
});

describe('lists of an interface', () => {
  const yaml = `
interfaces:
  - name: plain
    igmp: {robustness: 3, queriers: []}
  - name: own
    igmp:
      queriers: [10.2.0.1]
      access: [{action: deny}]
      limit_exceptions: [239.2.0.0/16]
  - name: bare
igmp:
  queriers: [10.1.0.1, 10.1.0.2]
  access: [{action: permit, group: 239.1.0.0/16}, {action: deny}]
  limit_exceptions: [239.1.0.0/16]
`;
  const [plain, own, bare] = settingsOf(yaml).interfaces.map(({ igmp }) => igmp);

  test('replace the common ones as a whole', () => {
    expect(own?.queriers).toEqual([{ address: 0x0a020001, length: 32 }]);
    expect(own?.access.map(({ permit }) => permit)).toEqual([false]);
    expect(own?.limits.exceptions).toEqual([{ address: 0xef020000, length: 16 }]);
  });

  test('let the common ones hold when they are empty', () => {
    expect(plain?.queriers).toHaveLength(2);
    expect(plain?.access.map(({ permit }) => permit)).toEqual([true, false]);
    expect(plain?.limits.exceptions).toEqual([{ address: 0xef010000, length: 16 }]);
  });

  test('are shared by all that have no others, for they may be long', () => {
    expect(plain?.access).toBe(bare?.access);
    expect(plain?.queriers).toBe(bare?.queriers);
    expect(plain?.limits.exceptions).toBe(bare?.limits.exceptions);
  });
});

test('what an interface says about a router that is not querier, over what all say', () => {
  const yaml = 'interfaces: [{name: a}, {name: b, igmp: {forward_if_not_querier: false}}]\nigmp: {forward_if_not_querier: true}';
  expect(settingsOf(yaml).interfaces.map(({ forwardIfNotQuerier }) => forwardIfNotQuerier)).toEqual([true, false]);
});

test.each(['off', 'tracked', 'always'])('quick leave: %s', (word) => {
  expect(settingsOf(`interfaces: [{name: a}]\nigmp: {quick_leave: ${word}}`).interfaces[0]?.igmp.quickLeave).toBe(word);
});

test('the default of the startup interval is never below the shortest query interval', () => {
  const { interfaces } = settingsOf('interfaces: [{name: a}]\nigmp: {query_interval: 2s, query_response_interval: 1s}');
  expect(interfaces[0]?.igmp.timing.startupQueryIntervalMs).toBe(1_000);
});

test('a mapping may be named once and used again; its keys are those of the nearest anchor before', () => {
  const yaml =
    'interfaces: [{name: a, igmp: &x {robustness: 3}}, {name: b, igmp: *x}, {name: c, igmp: &x {robustness: 4}}, {name: d, igmp: *x}]';
  expect(settingsOf(yaml).interfaces.map(({ igmp }) => igmp.timing.robustness)).toEqual([3, 3, 4, 4]);
});
