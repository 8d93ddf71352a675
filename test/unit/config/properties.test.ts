/**
 * What holds for any input: nothing throws, what is accepted can be used and written again, and reading agrees with ProtoJSON.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { Root } from 'protobufjs';
import 'protobufjs/ext/descriptor';
import { fromJson } from 'protobufjs/ext/protojson';
import { stringify } from 'yaml';
import { xmcast } from '#proto';
import { checkConfigText } from '../../../control/config/check';
import { toSettings } from '../../../control/config/defaults';
import { configToYaml } from '../../../control/config/format';
import { parseConfigYaml } from '../../../control/config/parse';
import { configSchema, type FieldSchema, type MessageSchema } from '../../../control/config/schema';

/** Values such as are met, for a field of this kind: right in form, not always in range. */
function fieldValue(field: FieldSchema): fc.Arbitrary<unknown> {
  const one: fc.Arbitrary<unknown> = field.kind === 'message' ? messageValue(field.message) : SCALARS[field.kind];
  return field.repeated ? fc.array(one, { maxLength: 3 }) : one;
}
const SCALARS = {
  uint32: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.nat(0xffffffff)),
  bool: fc.boolean(),
  string: fc.oneof(
    fc.constantFrom('eth0', 'eth1', 'off', 'info', '/run/x', '232.0.0.0/8', '10.0.0.1', '127.0.0.1:9469', 'permit', 'null', '5'),
    fc.string(),
  ),
  duration: fc.oneof(
    fc.constantFrom('125s', '0.5s', '1s', '-0.000000001s'),
    fc.nat(10_000).map((ms) => `${ms / 1000}s`),
  ),
};
function messageValue(schema: MessageSchema): fc.Arbitrary<Record<string, unknown>> {
  const entries = schema.fields.flatMap((field) => [[field.key, fieldValue(field)] as const]);
  return fc.record(Object.fromEntries(entries), { requiredKeys: [] });
}
const wellFormed = messageValue(configSchema());

/** The same with anything at all in place of some value. */
const malformed = fc
  .tuple(wellFormed, fc.constantFrom(...configSchema().fields), fc.jsonValue())
  .map(([config, field, value]) => ({ ...config, [field.key]: value }));

function mustNotThrow(text: string): void {
  const { config, problems } = checkConfigText(text);
  expect(config === undefined).toBe(problems.length > 0);
  for (const { line, column, message } of problems) {
    expect([line > 0, column > 0]).toEqual([true, true]);
    expect(message).toMatch(/^[^\n\r\p{Cc}]+$/u);
  }
  if (config !== undefined) expect(toSettings(config).interfaces.length).toBeGreaterThan(0);
}

/** Entries that are mostly right, of few names and addresses, so that many configurations are accepted and many are not. */
const name = fc.constantFrom('a', 'b', 'c');
const group = fc.constantFrom('239.1.1.1', '239.1.1.0/24', '232.1.1.1', '232.1.0.0/16', '224.0.0.0/4', '239.1.1.1/32');
const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '192.0.2.1');
const hosts = fc.oneof(address, fc.constantFrom('10.0.0.0/8', '0.0.0.0/0', '10.0.0.1/32'));
const few = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> => fc.array(value, { maxLength: 2 });
const some = (model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(model, { requiredKeys: [] });
const igmp = some({
  quick_leave: fc.constantFrom('off', 'tracked', 'always'),
  ssm_range: fc.constantFrom('232.0.0.0/8', '239.1.1.0/24'),
  queriers: few(hosts),
  limit_exceptions: few(group),
  access: few(
    fc.record({ action: fc.constantFrom('permit', 'deny'), group, source: hosts, reporter: hosts }, { requiredKeys: ['action'] }),
  ),
});
const staticGroup = fc.record({ group: fc.constantFrom('239.1.1.1', '239.1.1.2', '232.1.1.1'), sources: few(address) });
const upstreamInterface = some({
  upstream_groups: few(group),
  upstream_sources: few(hosts),
  upstream_priority: fc.nat(255),
  igmp,
}).map((item) => ({ ...item, upstream: true }));
const downstreamInterface = some({ static_groups: few(staticGroup), alternative_subnets: few(hosts), igmp });
const plausible = fc
  .tuple(
    fc.array(fc.oneof(upstreamInterface, downstreamInterface), { minLength: 3, maxLength: 3 }),
    some({
      igmp,
      static_routes: few(
        fc.record({ group, source: hosts, upstream: name, downstreams: few(name) }, { requiredKeys: ['group', 'upstream'] }),
      ),
      ssm_mapping: some({
        static: few(fc.record({ group, sources: few(address) })),
        dns_domain: fc.constantFrom('ssm.example', 'Ssm.Example.'),
        dns_servers: few(fc.constantFrom('192.0.2.53', '[2001:db8::1]:5353')),
      }),
    }),
  )
  .map(([interfaces, rest]) => ({ ...rest, interfaces: interfaces.map((item, index) => ({ ...item, name: 'abc'[index] })) }));

test('of plausible configurations each is either refused with places or becomes complete settings', () => {
  let accepted = 0;
  const check = (value: Record<string, unknown>): void => {
    const text = stringify(value);
    mustNotThrow(text);
    const { config } = checkConfigText(text);
    if (config === undefined) return;
    accepted++;
    const settings = toSettings(config);
    const known = settings.interfaces.map((item) => item.name);
    for (const { upstream, downstreams } of settings.staticRoutes) {
      expect(known).toEqual(expect.arrayContaining([upstream, ...downstreams]));
      expect(new Set([upstream, ...downstreams]).size).toBe(downstreams.length + 1);
    }
    for (const item of settings.interfaces) expect(item.upstream === undefined || item.igmp.staticGroups.length === 0).toBe(true);
    // Through the canonical form nothing is lost.
    expect(toSettings(parseConfigYaml(configToYaml(config)).config!)).toEqual(settings);
  };
  fc.assert(fc.property(plausible, check), { numRuns: 200 });
  expect(accepted).toBeGreaterThan(5);
});

test('any text', () => {
  const alphabet = fc.constantFrom(
    ...'{}[]:,-?&*!|>%@`"\'#\n\t \\0a~<',
    'interfaces',
    'name',
    'igmp',
    ': ',
    '- ',
    '\n  ',
    '\u0000',
    '\ud800',
    '---\n',
    '...',
  );
  fc.assert(fc.property(fc.string(), mustNotThrow));
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 40 }), (parts) => mustNotThrow(parts.join(''))),
    { numRuns: 500 },
  );
});

test('any JSON value, and any YAML of one', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => mustNotThrow(JSON.stringify(value))));
  fc.assert(fc.property(malformed, (value) => mustNotThrow(JSON.stringify(value))));
  fc.assert(fc.property(malformed, (value) => mustNotThrow(stringify(value))));
});

test('what is right in form reads as ProtoJSON does', () => {
  const root = Root.fromDescriptor(readFileSync(join(dirname(require.resolve('#proto')), 'xmcast.binpb')));
  const type = root.lookupType('xmcast.v1.Config');
  const canonical = (bytes: Uint8Array): unknown => xmcast.v1.Config.toObject(xmcast.v1.Config.decode(bytes), { longs: Number });
  const agrees = (value: Record<string, unknown>): void => {
    const { config, problems } = parseConfigYaml(JSON.stringify({ ...value, interfaces: value['interfaces'] ?? [] }));
    expect(problems).toEqual([]);
    expect(canonical(xmcast.v1.Config.encode(config!).finish())).toEqual(canonical(type.encode(fromJson(type, value)).finish()));
  };
  fc.assert(fc.property(wellFormed, agrees));
});

test('what is written in canonical form reads back as the same message', () => {
  const readsBack = (value: Record<string, unknown>): void => {
    const { draft } = parseConfigYaml(JSON.stringify(value));
    fc.pre(draft !== undefined && Object.keys(draft.toJSON()).length > 0);
    const yaml = configToYaml(draft!);
    const again = parseConfigYaml(yaml);
    expect(again.problems).toEqual([]);
    expect(xmcast.v1.Config.encode(again.config!).finish()).toEqual(xmcast.v1.Config.encode(draft!).finish());
    expect(configToYaml(again.config!)).toBe(yaml);
  };
  fc.assert(fc.property(wellFormed, readsBack));
});
