/**
 * From a file to the settings of the rooms: every default, every field, and what an interface overrides.
 */
import { checkConfigText } from '../../../control/config/check';
import { toSettings } from '../../../control/config/defaults';
import type { Settings } from '../../../control/config/settings';

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
  limits: { groups: 4096, sourcesPerGroup: 128 },
  acceptOffSubnet: false,
  requireRouterAlert: false,
  ssmRange: { address: 0xe8000000, length: 8 },
};

test('a name alone: everything else is the default', () => {
  expect(settingsOf('interfaces: [{name: eth0}]')).toEqual({
    interfaces: [{ name: 'eth0', upstream: false, ttlThreshold: 1, boundaries: [], igmp: DEFAULT_IGMP }],
    limits: { routes: 16_384, replicationGroups: 512, sourceIdleMs: 210_000 },
    dataplane: {
      pinPath: '/sys/fs/bpf/xmcast',
      policers: {
        igmp_report: { ratePps: 4000, burst: 4000, totalPps: 16_000 },
        igmp_query: { ratePps: 50, burst: 50, totalPps: 200 },
        pim: { ratePps: 2000, burst: 2000, totalPps: 8000 },
        new_source: { ratePps: 1000, burst: 1000, totalPps: 4000 },
        no_route: { ratePps: 1000, burst: 1000, totalPps: 4000 },
        wrong_interface: { ratePps: 100, burst: 100, totalPps: 400 },
      },
      counterIntervalMs: 1_000,
    },
    api: { socketPath: '/run/xmcast/control.sock' },
    metrics: { host: '127.0.0.1', port: 9469 },
    logLevel: 'info',
  });
});

const FULL = `
interfaces:
  - name: eth7
    upstream: true
    ttl_threshold: 33
    boundaries: [239.255.0.0/16, 239.192.0.1]
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
limits:
  routes: 1000
  replication_groups: 200
  source_idle_timeout: 30s
dataplane:
  pin_path: /sys/fs/bpf/other
  counter_interval: 0.25s
  policers:
    igmp_report: {rate: 1, burst: 2, total: 3}
    igmp_query: {rate: 3, burst: 4}
    pim: {rate: 10}
    new_source: {rate: 5, burst: 6}
    no_route: {rate: 7, burst: 8}
    wrong_interface: {rate: 9}
api:
  socket: /tmp/x.sock
metrics:
  listen: "[fe80::1%eth0]:9000"
log_level: trace
`;

const FULL_SETTINGS: Settings = {
  interfaces: [
    {
      name: 'eth7',
      upstream: true,
      ttlThreshold: 33,
      boundaries: [
        { address: 0xefff0000, length: 16 },
        { address: 0xefc00001, length: 32 },
      ],
      igmp: {
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
        limits: { groups: 11, sourcesPerGroup: 12 },
        acceptOffSubnet: true,
        requireRouterAlert: true,
        ssmRange: { address: 0xefe80000, length: 16 },
      },
    },
  ],
  limits: { routes: 1000, replicationGroups: 200, sourceIdleMs: 30_000 },
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
  },
  api: { socketPath: '/tmp/x.sock' },
  metrics: { host: 'fe80::1%eth0', port: 9000 },
  logLevel: 'trace',
};

test('every field set is every field in the settings', () => expect(settingsOf(FULL)).toEqual(FULL_SETTINGS));

test('lowerCamelCase, as ProtoJSON writes it, and JSON mean the same', () => {
  const camelCase = FULL.replace(/([a-z_]+):/g, (key) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));
  expect(camelCase).toContain('lastMemberQueryInterval');
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

test('the default of the startup interval is never below the shortest query interval', () => {
  const { interfaces } = settingsOf('interfaces: [{name: a}]\nigmp: {query_interval: 2s, query_response_interval: 1s}');
  expect(interfaces[0]?.igmp.timing.startupQueryIntervalMs).toBe(1_000);
});

test('a mapping may be named once and used again; its keys are those of the nearest anchor before', () => {
  const yaml =
    'interfaces: [{name: a, igmp: &x {robustness: 3}}, {name: b, igmp: *x}, {name: c, igmp: &x {robustness: 4}}, {name: d, igmp: *x}]';
  expect(settingsOf(yaml).interfaces.map(({ igmp }) => igmp.timing.robustness)).toEqual([3, 3, 4, 4]);
});
