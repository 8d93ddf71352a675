/**
 * What differs between two configurations, by path, and what each difference does.
 */
import fc from 'fast-check';
import { canonicalConfig, canonicalText } from '../../../control/config/canonical';
import { differences } from '../../../control/config/diff';
import { changesBetween, ruleFor } from '../../../control/config/effects';
import { LIST_RULES, ruleKey } from '../../../control/config/list-rules';
import { configFromText } from '../../../control/config/plain-config';
import { configSchema, type MessageSchema } from '../../../control/config/schema';
import { content } from './bench';

const BASE = 'interfaces: [{name: eth0, upstream: true}, {name: eth1}]';

/** path: before → after, effect, flows. */
function told(before: string, after: string): string[] {
  return changesBetween(canonicalConfig(content(before).config), canonicalConfig(content(after).config)).map(
    ({ path, before: was, after: is, effect, disrupts }) => `${path}: ${was} → ${is} ${effect}${disrupts === '' ? '' : ` (${disrupts})`}`,
  );
}

test.each([
  ['a value of an interface', BASE, 'interfaces: [{name: eth0, upstream: true}, {name: eth1, ttl_threshold: 8}]', ['interfaces[eth1].ttl_threshold:  → 8 live']],
  [
    'a side of an interface',
    BASE,
    'interfaces: [{name: eth0, upstream: true}, {name: eth1, upstream: true}]',
    ['interfaces[eth1].upstream:  → true disruptive (flows through eth1)'],
  ],
  ['the default written down', BASE, `${BASE}\nigmp: {version: 3, query_interval: 125s}\nlog_level: info`, [
    'igmp.version:  → 3 none',
    'igmp.query_interval:  → 125s none',
    'log_level:  → info none',
  ]],
  [
    'a common value that an interface overrides',
    'interfaces: [{name: eth0, igmp: {robustness: 3, startup_query_count: 3, last_member_query_count: 3}}]\nigmp: {robustness: 2}',
    'interfaces: [{name: eth0, igmp: {robustness: 3, startup_query_count: 3, last_member_query_count: 3}}]\nigmp: {robustness: 4}',
    ['igmp.robustness: 2 → 4 none'],
  ],
  ['the order of interfaces', BASE, 'interfaces: [{name: eth1}, {name: eth0, upstream: true}]', [
    'interfaces: [{"name":"eth0","upstream":true},{"name":"eth1"}] → [{"name":"eth1"},{"name":"eth0","upstream":true}] none',
  ]],
  ['an interface in front', BASE, 'interfaces: [{name: eth7}, {name: eth0, upstream: true}, {name: eth1}]', ['interfaces[eth7]:  → {"name":"eth7"} live']],
  ['an interface less', BASE, 'interfaces: [{name: eth0, upstream: true}]', ['interfaces[eth1]: {"name":"eth1"} →  disruptive (flows through eth1)']],
  [
    'boundaries',
    'interfaces: [{name: eth1, boundaries: [239.1.0.0/16, 239.2.0.0/16]}]',
    'interfaces: [{name: eth1, boundaries: [239.3.0.0/16, 239.2.0.0/16]}]',
    ['interfaces[eth1].boundaries[239.1.0.0/16]: 239.1.0.0/16 →  live', 'interfaces[eth1].boundaries[239.3.0.0/16]:  → 239.3.0.0/16 disruptive (flows of 239.3.0.0/16 on eth1)'],
  ],
  [
    'static routes by their flow',
    `${BASE}\nstatic_routes: [{group: 239.1.1.1, upstream: eth0}, {group: 239.1.1.2, source: 10.0.0.0/8, upstream: eth0}]`,
    `${BASE}\nstatic_routes: [{group: 239.1.1.2, source: 10.0.0.0/8, upstream: eth0, downstreams: [eth1]}, {group: 239.1.1.1/32, upstream: eth0}]`,
    [
      'static_routes[239.1.1.1].group: 239.1.1.1 → 239.1.1.1/32 disruptive (flows of 239.1.1.1)',
      'static_routes[239.1.1.2 from 10.0.0.0/8].downstreams[eth1]:  → eth1 disruptive (flows of 239.1.1.2 from 10.0.0.0/8)',
    ],
  ],
  [
    'the middle of an ordered list',
    `${BASE}\nigmp: {access: [{action: permit, group: 239.1.0.0/16}, {action: deny, group: 239.2.0.0/16}, {action: permit}]}`,
    `${BASE}\nigmp: {access: [{action: permit, group: 239.1.0.0/16}, {action: deny, group: 239.3.0.0/16}, {action: permit}]}`,
    ['igmp.access[1]: [{"action":"deny","group":"239.2.0.0/16"}] → [{"action":"deny","group":"239.3.0.0/16"}] disruptive (flows of members that these rules decide about)'],
  ],
  ['what needs a restart', BASE, `${BASE}\nlimits: {routes: 4096, memberships: 9}\napi: {socket: /run/x.sock}`, [
    'limits.routes:  → 4096 restart',
    'limits.memberships:  → 9 live',
    'api.socket:  → /run/x.sock restart',
  ]],
  ['an empty section', BASE, `${BASE}\nigmp: {}\nlimits:`, []],
])('%s', (_what, before, after, changes) => {
  expect(told(before, after)).toEqual(changes);
});

test('long entries are shortened', () => {
  const sources = Array.from({ length: 64 }, (_, index) => `10.0.0.${index + 1}`);
  const [line] = told(BASE, `${BASE}\nssm_mapping: {static: [{group: 232.1.1.1, sources: [${sources.join()}]}]}`);
  expect(line).toMatch(/^ssm_mapping\.static\[232\.1\.1\.1\]: {2}→ \{"group".{503}… disruptive/);
});

function keysOf(schema: MessageSchema, above: readonly string[]): { keys: string[]; repeated: boolean }[] {
  return schema.fields.flatMap((field) => {
    const keys = [...above, field.key];
    return [{ keys, repeated: field.repeated }, ...(field.kind === 'message' ? keysOf(field.message, keys) : [])];
  });
}
const KEYS = keysOf(configSchema(), []);

test('somebody has decided what a change of each key does', () => {
  const undecided = KEYS.filter(({ keys }) => ruleFor(ruleKey(keys), 'changed') === undefined).map(({ keys }) => keys.join('.'));
  expect(undecided).toEqual([]);
});

test('somebody has decided what makes two entries of each list the same', () => {
  const lists = KEYS.filter(({ repeated }) => repeated).map(({ keys }) => ruleKey(keys));
  expect([...new Set(lists)].sort()).toEqual(Object.keys(LIST_RULES).sort());
});

const interfaceYaml = fc.record(
  {
    ttl_threshold: fc.integer({ min: 1, max: 9 }),
    boundaries: fc.uniqueArray(fc.constantFrom('239.1.0.0/16', '239.2.0.0/16', '239.3.0.0/16')),
    igmp: fc.record({ version: fc.constantFrom(1, 2, 3), robustness: fc.integer({ min: 1, max: 7 }) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const configYaml = fc
  .record({
    names: fc.shuffledSubarray(['eth0', 'eth1', 'eth2'], { minLength: 1 }),
    items: fc.tuple(interfaceYaml, interfaceYaml, interfaceYaml),
    access: fc.array(fc.record({ action: fc.constantFrom('permit', 'deny') }), { maxLength: 4 }),
  })
  .map(({ names, items, access }) => JSON.stringify({ interfaces: names.map((name, index) => ({ name, ...items[index] })), igmp: { access } }));

test('property: no difference exactly when the canonical texts are equal, and what is added one way is removed the other', () => {
  fc.assert(
    fc.property(configYaml, configYaml, (one, other) => {
      const [left, right] = [canonicalConfig(content(one).config), canonicalConfig(content(other).config)];
      const there = differences(left, right);
      const back = differences(right, left);
      expect(there.length === 0).toBe(JSON.stringify(left) === JSON.stringify(right));
      const swapped = back.map(({ path, before, after }) => JSON.stringify([path, after, before])).sort();
      expect(there.map(({ path, before, after }) => JSON.stringify([path, before, after])).sort()).toEqual(swapped);
    }),
    { numRuns: 300 },
  );
});

test('property: the canonical text reads back as the same configuration', () => {
  fc.assert(
    fc.property(configYaml, (yaml) => {
      const text = canonicalText(content(yaml).config);
      const { config, fault } = configFromText(text);
      expect(fault).toBeUndefined();
      expect(canonicalText(config!)).toBe(text);
    }),
    { numRuns: 100 },
  );
});

test('a key of a newer version is refused, not dropped', () => {
  expect(configFromText('{"interfaces":[{"name":"eth0","colour":"red"}]}').fault).toContain('colour');
  expect(configFromText('[]').fault).toBe('no mapping of keys to values');
  expect(configFromText('{').config).toBeUndefined();
});
