/** RFC 4605 §4.1 by RFC 3376 §3.2: one filter of all downstream demands. */
import fc from 'fast-check';
import type { HostFilter } from '../../../control/protocol/igmp/host/api';
import { mergeFilters } from '../../../control/protocol/igmp/host/merge';
import type { GroupDemand } from '../../../control/protocol/igmp/router/api';
import type { Ipv4 } from '../../../control/protocol/packet/address';
import { describeFilter, filter, source } from './scenario';

/** 'INCLUDE(a)'; 'EXCLUDE(a; x)' with the requested sources behind. */
function demand(text: string): GroupDemand {
  const [excluded = '', requested = ''] = text.replace(/\)$/, '').split(';');
  const { mode, sources } = filter(`${excluded})`) ?? { mode: 'include', sources: [] };
  return mode === 'include' ? { mode, sources } : { mode, sources, requested: requested.split(' ').filter(Boolean).map(source) };
}

test.each([
  ['nobody', [], 'nothing'],
  ['one that wants nothing', ['INCLUDE()'], 'nothing'],
  ['one INCLUDE', ['INCLUDE(a b)'], 'INCLUDE(a b)'],
  ['INCLUDEs: the union', ['INCLUDE(a b c)', 'INCLUDE(b c d)', 'INCLUDE(e f)'], 'INCLUDE(a b c d e f)'],
  ['one EXCLUDE', ['EXCLUDE(a b)'], 'EXCLUDE(a b)'],
  ['EXCLUDEs: the intersection', ['EXCLUDE(a b c d)', 'EXCLUDE(b c d e)'], 'EXCLUDE(b c d)'],
  ['the example of §3.2', ['EXCLUDE(a b c d)', 'EXCLUDE(b c d e)', 'INCLUDE(d e f)'], 'EXCLUDE(b c)'],
  ['the example of §3.2 with a fourth', ['EXCLUDE(a b c d)', 'EXCLUDE(b c d e)', 'INCLUDE(d e f)', 'EXCLUDE()'], 'EXCLUDE()'],
  ['the example of RFC 4605 §4.1', ['EXCLUDE()', 'INCLUDE(a b)'], 'EXCLUDE()'],
  ['an INCLUDE of all that is excluded', ['EXCLUDE(a)', 'INCLUDE(a)'], 'EXCLUDE()'],
  ['requested sources of an EXCLUDE', ['EXCLUDE(a b; x y)'], 'EXCLUDE(a b)'],
  ['requested there, excluded here', ['EXCLUDE(a; b)', 'EXCLUDE(a b; )'], 'EXCLUDE(a)'],
])('%s', (_, demands, merged) => {
  expect(describeFilter(mergeFilters(demands.map(demand)))).toBe(merged);
});

const SOURCES = ['a', 'b', 'c', 'd', 'e'].map(source);
const someSources = fc.subarray(SOURCES);
const anyDemand: fc.Arbitrary<GroupDemand> = fc.oneof(
  someSources.map((sources): GroupDemand => ({ mode: 'include', sources })),
  // A source is excluded or requested, never both (RFC 3376 §6.2.3).
  fc.tuple(someSources, someSources).map(([sources, running]): GroupDemand => {
    return { mode: 'exclude', sources, requested: running.filter((name) => !sources.includes(name)) };
  }),
);
const anyDemands = fc.array(anyDemand, { maxLength: 5 });

function isWanted(by: HostFilter | undefined, name: Ipv4): boolean {
  return by !== undefined && by.sources.includes(name) === (by.mode === 'include');
}

test('a source is wanted by the merge exactly when some demand wants it', () => {
  fc.assert(
    fc.property(anyDemands, (demands) => {
      const merged = mergeFilters(demands);
      for (const name of [...SOURCES, source('z')])
        expect(isWanted(merged, name)).toBe(demands.some((one) => isWanted(one, name)));
    }),
  );
});

test('the merge is EXCLUDE exactly when some demand is, and its order and repetitions play no part', () => {
  fc.assert(
    fc.property(anyDemands, (demands) => {
      const merged = mergeFilters(demands);
      expect(merged?.mode === 'exclude').toBe(demands.some(({ mode }) => mode === 'exclude'));
      expect(mergeFilters([...demands, ...demands].reverse())).toEqual(merged);
    }),
  );
});
