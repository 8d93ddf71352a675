/** The layout that TypeScript reads from an object file, against the C of fixtures/kinds.bpf.c. */
import { BpfObject, type BtfLayout, readBtf } from '#bindings';

import { FixtureFolder } from './compile-fixture';

const folder = new FixtureFolder();
let layout: BtfLayout;

beforeAll(() => {
  layout = readBtf(folder.compile('kinds'));
});
afterAll(() => folder.remove());

function member(struct: string, name: string): unknown {
  return layout.structs[struct]?.members.find((candidate) => candidate.name === name);
}

test('a struct that is only a map key has its size and members', () => {
  expect(layout.structs['flow_key']).toEqual({
    name: 'flow_key',
    size: 8,
    members: [
      { name: 'source', offset: 0, size: 4, elementSize: 4, elements: 1, signed: false, struct: '' },
      { name: 'group', offset: 4, size: 4, elementSize: 4, elements: 1, signed: false, struct: '' },
    ],
  });
});

test('members that are structs or arrays of structs name the struct', () => {
  expect(member('flow_value', 'key')).toMatchObject({ offset: 8, size: 8, elements: 1, struct: 'flow_key' });
  expect(member('flow_value', 'history')).toMatchObject({
    offset: 16,
    size: 24,
    elementSize: 8,
    elements: 3,
    struct: 'flow_key',
  });
});

test('nested arrays are flattened to their number of elements', () => {
  expect(member('flow_value', 'grid')).toMatchObject({ offset: 40, size: 6, elementSize: 1, elements: 6 });
});

test('signed members say so', () => {
  expect(member('flow_value', 'bias')).toMatchObject({ offset: 46, size: 2, signed: true });
  expect(member('flow_value', 'packets')).toMatchObject({ signed: false });
});

test('members of an unnamed union belong to the outer struct, bitfields are left out', () => {
  expect(member('flow_value', 'word')).toMatchObject({ offset: 48, size: 4 });
  expect(member('flow_value', 'half')).toMatchObject({ offset: 48, size: 2 });
  expect(member('flow_value', 'low')).toBeUndefined();
  expect(member('flow_value', 'last')).toMatchObject({ offset: 56, size: 4 });
});

test('an unnamed struct is found by its typedef', () => {
  expect(layout.structs['port_t']).toMatchObject({ name: 'port_t', size: 8 });
  expect(member('port_t', 'mac')).toMatchObject({ offset: 0, size: 6, elementSize: 1, elements: 6 });
});

test('enumerators of named and anonymous enums are found by name', () => {
  expect(layout.enumerators).toMatchObject({
    REASON_NONE: 0,
    REASON_TTL: 5,
    REASON_MTU: 6,
    LIMIT_PORTS: 77,
    LIMIT_LARGE: 0x80000000,
  });
  expect(layout.enums).toEqual({ reason: { REASON_NONE: 0, REASON_TTL: 5, REASON_MTU: 6 } });
  expect(Object.keys(layout.enums['reason'] ?? {})).toEqual(['REASON_NONE', 'REASON_TTL', 'REASON_MTU']);
});

test('variables have their section, offset and size, static ones too', () => {
  const rodata = layout.variables.filter((variable) => variable.section === '.rodata');
  expect(rodata).toEqual([
    { name: 'salt', section: '.rodata', offset: 0, size: 8 },
    { name: 'threshold', section: '.rodata', offset: 8, size: 4 },
  ]);
  expect(layout.variables).toContainEqual({ name: 'sequence', section: '.bss', offset: expect.any(Number), size: 8 });
});

test('an opened object gives the same layout', () => {
  const object = BpfObject.open(folder.compile('kinds'));
  expect(object.btf).toEqual(layout);
  object.close();
});
