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
    fc.constantFrom('eth0', 'eth1', 'off', 'info', '/run/x', '232.0.0.0/8', '127.0.0.1:9469', 'null', '5'),
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
