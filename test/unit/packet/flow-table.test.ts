/** Values by flow, against a list that is looked through from its beginning to its end. */
import fc from 'fast-check';
import { formatPrefix, parsePrefix, prefixContains, prefixMask, type Ipv4Prefix } from '../../../control/protocol/packet/address';
import { FlowTable, type FlowPrefix } from '../../../control/protocol/packet/flow-table';

interface Value extends FlowPrefix {
  readonly number: number;
}

const EVERY: Ipv4Prefix = { address: 0, length: 0 };

function flow(group: string, source?: string): FlowPrefix {
  return { group: parsePrefix(group)!, source: source === undefined ? undefined : parsePrefix(source) };
}

function nameOf({ group, source }: FlowPrefix): string {
  return `${formatPrefix(group)} ${formatPrefix(source ?? EVERY)}`;
}

function overlaps(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return a.length <= b.length ? prefixContains(a, b.address) : prefixContains(b, a.address);
}

/** Few addresses, all lengths: prefixes that contain one another. */
function anyPrefix(base: number, lengths: readonly number[]): fc.Arbitrary<Ipv4Prefix> {
  return fc.tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(...lengths)).map(([last, length]) => ({ address: ((base + last) & prefixMask(length)) >>> 0, length }));
}
const anyFlow: fc.Arbitrary<FlowPrefix> = fc.record({
  group: anyPrefix(0xef010100, [8, 16, 24, 31, 32]),
  source: fc.option(anyPrefix(0xc0000200, [1, 8, 30, 31, 32]), { nil: undefined }),
});

test('one value for one flow, whatever is set and deleted', () => {
  const step = fc.record({ remove: fc.boolean(), flow: anyFlow });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), anyFlow, (steps, asked) => {
      const table = new FlowTable<Value>();
      const naive = new Map<string, Value>();
      for (const [number, { remove, flow: one }] of steps.entries()) {
        if (remove) {
          expect(table.delete(one)).toEqual(naive.get(nameOf(one)));
          naive.delete(nameOf(one));
        } else {
          table.set({ ...one, number });
          naive.set(nameOf(one), { ...one, number });
        }
      }
      const all = [...naive.values()];
      expect(table.size).toBe(naive.size);
      expect(new Set(table.values())).toEqual(new Set(all));
      expect(table.get(asked)).toEqual(naive.get(nameOf(asked)));
      const around = all.filter(({ group, source }) => overlaps(group, asked.group) && overlaps(source ?? EVERY, asked.source ?? EVERY));
      expect(new Set(table.overlapping(asked))).toEqual(new Set(around));
      expect(table.covers(asked.group.address)).toBe(all.some(({ group }) => prefixContains(group, asked.group.address)));
      const of = all.filter(({ group }) => nameOf({ group, source: undefined }) === nameOf({ group: asked.group, source: undefined }));
      expect(table.ofGroup(asked.group)?.hasRanges ?? false).toBe(of.some(({ source }) => source !== undefined && source.length > 0 && source.length < 32));
    }),
  );
});

test('the longest group decides, then the longest source; a group without this source leaves it to a shorter one', () => {
  const table = new FlowTable<Value>();
  for (const [number, one] of [flow('239.0.0.0/8'), flow('239.1.0.0/16', '10.0.0.0/8'), flow('239.1.0.0/16', '10.1.0.0/16'), flow('239.1.1.1', '192.0.2.1')].entries()) {
    table.set({ ...one, number });
  }
  const match = (source: string, group: string) => table.match(parsePrefix(source)!.address, parsePrefix(group)!.address)?.number;
  expect(match('10.1.0.1', '239.1.1.1')).toBe(2);
  expect(match('10.2.0.1', '239.1.1.1')).toBe(1);
  expect(match('192.0.2.1', '239.1.1.1')).toBe(3);
  expect(match('172.16.0.1', '239.1.1.1')).toBe(0);
  expect(match('172.16.0.1', '232.1.1.1')).toBeUndefined();
});
