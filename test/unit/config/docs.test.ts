/**
 * docs/configuration.md against the code: the same keys as the schema, the same ranges, the same defaults, and examples that work.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConfigText } from '../../../control/config/check';
import { toSettings } from '../../../control/config/defaults';
import { formatMs } from '../../../control/config/duration';
import * as ranges from '../../../control/config/ranges';
import { configSchema, type MessageSchema } from '../../../control/config/schema';

const text = readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8');

/** Rows of the key tables: | `key` | type | allowed | default | meaning |. */
const documented = new Map(
  text.split('\n').flatMap((line) => {
    const [, key, type = '', allowed = '', fallback = ''] = line.split('|').map((cell) => cell.trim());
    const name = /^`([a-z_.[\]]+)`$/.exec(key ?? '')?.[1];
    return name === undefined || line.split('|').length !== 7
      ? []
      : [[name, { type, allowed, fallback: fallback.replaceAll('`', '') }] as const];
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
    igmp: ranges.IGMP_RANGES,
    limits: ranges.LIMITS_RANGES,
    dataplane: ranges.DATAPLANE_RANGES,
  };
  const policer: Record<string, ranges.Range> = { rate: ranges.POLICER_RATE, burst: ranges.POLICER_BURST, total: ranges.POLICER_TOTAL };
  const numeric = [...declared].filter(([, { kind }]) => kind === 'uint32' || kind === 'duration');
  for (const [key, { property }] of numeric) {
    const section = key.slice(0, key.lastIndexOf('.'));
    const range = (section.startsWith('dataplane.policers') ? policer : tables[section])?.[property];
    const show = (value: number): string => (range?.kind === 'duration' ? formatMs(value) : String(value));
    expect([key, documented.get(key)?.allowed]).toEqual([key, range && `${show(range.min)} to ${show(range.max)}`]);
  }
});

test('each with the default that holds', () => {
  const { interfaces, limits, dataplane, api, metrics, logLevel } = toSettings(
    checkConfigText('interfaces: [{name: a}]').config!,
  );
  const { igmp, ttlThreshold, upstream } = interfaces[0]!;
  const policers = Object.entries(dataplane.policers).flatMap(([name, { ratePps, burst, totalPps }]) => [
    [`dataplane.policers.${name}.rate`, String(ratePps)] as const,
    [`dataplane.policers.${name}.burst`, String(burst)] as const,
    [`dataplane.policers.${name}.total`, String(totalPps)] as const,
  ]);
  const held = new Map<string, string>([
    ['interfaces[].name', 'required'],
    ['interfaces[].upstream', String(upstream)],
    ['interfaces[].ttl_threshold', String(ttlThreshold)],
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
    ['limits.routes', String(limits.routes)],
    ['limits.replication_groups', String(limits.replicationGroups)],
    ['limits.source_idle_timeout', formatMs(limits.sourceIdleMs)],
    ['dataplane.pin_path', dataplane.pinPath],
    ['dataplane.counter_interval', formatMs(dataplane.counterIntervalMs)],
    ...policers,
    ['api.socket', api.socketPath],
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
