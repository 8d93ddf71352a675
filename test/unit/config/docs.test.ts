/**
 * docs/configuration.md against the code: the same keys as the schema, the same ranges, the same defaults, and examples that work.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConfigText } from '../../../control/config/check';
import { toSettings } from '../../../control/config/defaults';
import { formatMs } from '../../../control/config/duration';
import { MAX_TOKENS } from '../../../control/config/parse';
import * as ranges from '../../../control/config/ranges';
import { MAX_VALUES } from '../../../control/config/read-tree';
import { configSchema, type MessageSchema } from '../../../control/config/schema';

const text = readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8');

/** Rows of the key tables: | `key` | type | allowed | default | meaning |. */
const documented = new Map(
  text.split('\n').flatMap((line) => {
    const [, key, type = '', allowed = '', fallback = '', meaning = ''] = line.split('|').map((cell) => cell.trim());
    const name = /^`([a-z0-9_.[\]]+)`$/.exec(key ?? '')?.[1];
    return name === undefined || line.split('|').length !== 7
      ? []
      : [[name, { type, allowed, meaning, fallback: fallback.replaceAll('`', '') }] as const];
  }),
);

interface Key {
  readonly kind: string;
  readonly property: string;
}
function keysOf(schema: MessageSchema, prefix: string): [string, Key][] {
  return schema.fields.flatMap((field): [string, Key][] => {
    const key = `${prefix}${field.key}${field.repeated ? '[]' : ''}`;
    // The overrides of an interface are documented once, as igmp.
    if (field.kind !== 'message' || key === 'interfaces[].igmp') return [[key, field]];
    return keysOf(field.message, `${key}.`);
  });
}
const declared = new Map(keysOf(configSchema(), ''));

test('the keys documented are the keys there are', () => {
  expect([...documented.keys()].sort()).toEqual([...declared.keys()].sort());
});

test('each with its type', () => {
  const words: Record<string, string> = {
    uint32: 'number',
    bool: 'boolean',
    string: 'text',
    duration: 'duration',
    message: 'mapping',
  };
  for (const [key, { type }] of documented) expect([key, type]).toEqual([key, words[declared.get(key)?.kind ?? '']]);
});

test('each number and duration with the range that is checked', () => {
  const tables: Record<string, Readonly<Record<string, ranges.Range>>> = {
    'interfaces[]': ranges.INTERFACE_RANGES,
    'interfaces[].igmp_host': ranges.HOST_RANGES,
    'static_routes[]': ranges.STATIC_ROUTE_RANGES,
    igmp: ranges.IGMP_RANGES,
    limits: ranges.LIMITS_RANGES,
    dataplane: ranges.DATAPLANE_RANGES,
    'api.limits': ranges.API_LIMITS_RANGES,
  };
  const policer: Record<string, ranges.Range> = {
    rate: ranges.POLICER_RATE,
    burst: ranges.POLICER_BURST,
    total: ranges.POLICER_TOTAL,
  };
  const numeric = [...declared].filter(([, { kind }]) => kind === 'uint32' || kind === 'duration');
  for (const [key, { property }] of numeric) {
    const section = key.slice(0, key.lastIndexOf('.'));
    const range = (section.startsWith('dataplane.policers') ? policer : tables[section])?.[property];
    const show = (value: number): string => (range?.kind === 'duration' ? formatMs(value) : String(value));
    expect([key, documented.get(key)?.allowed]).toEqual([key, range && `${show(range.min)} to ${show(range.max)}`]);
  }
});

test('each list with the length that is checked', () => {
  const longest: [key: string, words: string][] = [
    ...[
      'interfaces[].boundaries[]',
      'interfaces[].alternative_subnets[]',
      'interfaces[].upstream_groups[]',
      'interfaces[].upstream_sources[]',
      'igmp.limit_exceptions[]',
      'igmp.queriers[]',
    ].map((key): [string, string] => [key, `at most ${ranges.MAX_PREFIXES}`]),
    ['interfaces[].addresses[]', `at most ${ranges.MAX_ADDRESSES}`],
    ['interfaces[].static_groups[].group', `At most ${ranges.MAX_STATIC_GROUPS} entries`],
    ['interfaces[].static_groups[].sources[]', `at most ${ranges.MAX_STATIC_GROUP_SOURCES}`],
    ['interfaces[].join_groups[].group', `At most ${ranges.MAX_JOIN_GROUPS} entries`],
    ['interfaces[].join_groups[].sources[]', `at most ${ranges.MAX_JOIN_GROUP_SOURCES}`],
    ['igmp.access[].action', `At most ${ranges.MAX_ACCESS_RULES} rules`],
    ['static_routes[].group', `At most ${ranges.MAX_STATIC_ROUTES} routes`],
    ['static_routes[].downstreams[]', `at most ${ranges.MAX_INTERFACES}`],
    ['static_routes[].downstreams[]', `together have at most ${ranges.MAX_STATIC_ROUTE_DOWNSTREAMS}`],
    ['ssm_mapping.static[].group', `At most ${ranges.MAX_SSM_MAPPINGS} entries`],
    ['ssm_mapping.static[].sources[]', `1 to ${ranges.MAX_MAPPED_SOURCES}`],
    ['ssm_mapping.dns_servers[]', `at most ${ranges.MAX_DNS_SERVERS}`],
    ['api.listen[]', `at most ${ranges.MAX_API_LISTENERS}`],
    ['api.roles[].match', `At most ${ranges.MAX_API_ROLES} rules`],
  ];
  for (const [key, words] of longest) {
    const { allowed = '', meaning = '' } = documented.get(key) ?? {};
    expect([key, `${allowed} ${meaning}`]).toEqual([key, expect.stringContaining(words)]);
  }
});

test('the sizes a file may have', () => {
  for (const size of [MAX_TOKENS, MAX_VALUES]) expect(text).toContain(size.toLocaleString('en-GB'));
});

test('each with the default that holds', () => {
  const { interfaces, limits, staticRoutes, ssmMapping, dataplane, api, metrics, logLevel } = toSettings(
    checkConfigText('interfaces: [{name: a}, {name: b, upstream: true}]').config!,
  );
  const [downstream, { upstream }] = [interfaces[0]!, interfaces[1]!];
  const { igmp, ttlThreshold } = downstream;
  expect([downstream.boundaries, downstream.alternativeSubnets, igmp.limits.exceptions, igmp.access, staticRoutes]).toEqual([
    [],
    [],
    [],
    [],
    [],
  ]);
  expect([upstream?.groups, upstream?.sources, igmp.queriers, ssmMapping.dnsServers]).toEqual([[], [], [], []]);
  expect([upstream?.host.unsolicitedReportIntervalMs, ssmMapping.dnsDomain]).toEqual([undefined, undefined]);
  const policers = Object.entries(dataplane.policers).flatMap(([name, { ratePps, burst, totalPps }]) => [
    [`dataplane.policers.${name}.rate`, String(ratePps)] as const,
    [`dataplane.policers.${name}.burst`, String(burst)] as const,
    [`dataplane.policers.${name}.total`, String(totalPps)] as const,
  ]);
  const held = new Map<string, string>([
    ['interfaces[].name', 'required'],
    ['interfaces[].upstream', String(downstream.upstream !== undefined)],
    ['interfaces[].ttl_threshold', String(ttlThreshold)],
    ['interfaces[].mode', downstream.mode],
    ['interfaces[].igmp', 'those of igmp'],
    ['igmp.version', String(igmp.version)],
    ['igmp.robustness', String(igmp.timing.robustness)],
    ['igmp.query_interval', formatMs(igmp.timing.queryIntervalMs)],
    ['igmp.query_response_interval', formatMs(igmp.timing.queryResponseIntervalMs)],
    ['igmp.last_member_query_interval', formatMs(igmp.timing.lastMemberQueryIntervalMs)],
    // The formulas are held by settings.test.ts.
    ['igmp.last_member_query_count', 'robustness'],
    ['igmp.startup_query_interval', 'query_interval / 4'],
    ['igmp.startup_query_count', 'robustness'],
    ['igmp.max_groups', String(igmp.limits.groups)],
    ['igmp.max_sources_per_group', String(igmp.limits.sourcesPerGroup)],
    ['igmp.accept_off_subnet', String(igmp.acceptOffSubnet)],
    ['igmp.require_router_alert', String(igmp.requireRouterAlert)],
    ['igmp.ssm_range', '232.0.0.0/8'],
    ['igmp.max_groups_per_host', String(igmp.limits.groupsPerHost)],
    ['igmp.max_tracked_hosts', String(igmp.limits.trackedHosts)],
    ['igmp.limit_exceptions[]', 'none'],
    ['igmp.quick_leave', igmp.quickLeave],
    ['igmp.ignore_v1', String(igmp.ignoreV1)],
    ['igmp.ignore_v2', String(igmp.ignoreV2)],
    ['igmp.queriers[]', 'any on the subnet'],
    ['igmp.forward_if_not_querier', String(downstream.forwardIfNotQuerier)],
    ['igmp.access[].action', 'required'],
    ['igmp.access[].group', 'every group'],
    ['igmp.access[].source', 'every join'],
    ['igmp.access[].reporter', 'every host'],
    ['interfaces[].addresses[]', 'none'],
    ['interfaces[].alternative_subnets[]', 'none'],
    ['interfaces[].upstream_groups[]', 'all groups'],
    ['interfaces[].upstream_sources[]', 'all sources'],
    ['interfaces[].upstream_priority', String(upstream?.priority)],
    ['interfaces[].igmp_host.version', String(upstream?.host.version)],
    ['interfaces[].igmp_host.robustness', String(upstream?.host.robustness)],
    // The host side decides; it alone knows which version it speaks.
    ['interfaces[].igmp_host.unsolicited_report_interval', '1s, or 10s in versions 1 and 2'],
    ['interfaces[].igmp_host.older_version_querier_timeout', formatMs(upstream!.host.olderVersionQuerierTimeoutMs)],
    ['interfaces[].static_groups[].group', 'required'],
    ['interfaces[].static_groups[].sources[]', 'every source'],
    ['interfaces[].join_groups[].group', 'required'],
    ['interfaces[].join_groups[].sources[]', 'every source'],
    ['static_routes[].group', 'required'],
    ['static_routes[].source', 'every source'],
    ['static_routes[].upstream', 'required'],
    ['static_routes[].downstreams[]', 'none'],
    ['static_routes[].ttl_threshold', 'none'],
    ['ssm_mapping.static[].group', 'required'],
    ['ssm_mapping.static[].sources[]', 'required'],
    ['ssm_mapping.dns_domain', 'none'],
    ['ssm_mapping.dns_servers[]', 'those of the system'],
    ['ssm_mapping.any_source_v3', String(ssmMapping.anySourceV3)],
    ['limits.memberships', String(limits.memberships)],
    ['limits.static_entries', String(limits.staticEntries)],
    ['limits.routes', String(limits.routes)],
    ['limits.replication_groups', String(limits.replicationGroups)],
    ['limits.source_idle_timeout', formatMs(limits.sourceIdleMs)],
    ['dataplane.pin_path', dataplane.pinPath],
    ['dataplane.counter_interval', formatMs(dataplane.counterIntervalMs)],
    ['dataplane.hold_time', formatMs(dataplane.holdTimeMs)],
    ['dataplane.keep_on_stop', String(dataplane.keepOnStop)],
    ['dataplane.verify_interval', formatMs(dataplane.verifyIntervalMs)],
    ...policers,
    ['api.socket', api.socketPath],
    ['api.socket_group', api.socketGroup ?? 'xmcast if there is such a group'],
    ['api.listen[]', api.listen.join() || 'none'],
    ['api.tls.certificate', 'required'],
    ['api.tls.key', 'required'],
    ['api.tls.client_ca', 'required'],
    ['api.tls.crl', 'none'],
    ['api.roles[].match', 'required'],
    ['api.roles[].role', 'required'],
    ['api.limits.connections', String(api.limits.connections)],
    ['api.limits.connections_per_client', String(api.limits.connectionsPerClient)],
    ['api.limits.requests_per_second', String(api.limits.requestsPerSecond)],
    ['api.limits.unix_connections', String(api.limits.unixConnections)],
    ['api.limits.watchers', String(api.limits.watchers)],
    ['api.limits.streams_per_connection', String(api.limits.streamsPerConnection)],
    ['api.limits.request_bytes', String(api.limits.requestBytes)],
    ['metrics.listen', `${metrics?.host}:${metrics?.port}`],
    ['interfaces[].boundaries[]', 'none'],
    ['log_level', logLevel],
  ]);
  expect(new Map([...documented].map(([key, { fallback }]) => [key, fallback]))).toEqual(held);
  expect(igmp.ssmRange).toEqual({ address: 0xe8000000, length: 8 });
});

test('every example is a configuration without a problem', () => {
  const examples = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml = '']) => yaml);
  expect(examples.length).toBeGreaterThan(3);
  for (const yaml of examples) expect(checkConfigText(yaml).problems).toEqual([]);
});
