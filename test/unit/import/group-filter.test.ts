/**
 * White and black lists mean the same afterwards: compared with igmpproxy's own walk over the list.
 */
import fc from 'fast-check';
import { accessRules, permittedGroups, type GroupFilterEntry } from '../../../control/import/group-filter';
import { parsePrefix, prefixContains, prefixMask } from '../../../control/protocol/packet/address';

/** request.c: the last entry that matches, and whether there is a whitelist at all. */
function igmpproxyPermits(entries: readonly GroupFilterEntry[], group: number): boolean {
  const match = entries.findLast(({ prefix }) => prefixContains(prefix, group));
  const hasWhitelist = entries.some(({ allow }) => allow);
  return hasWhitelist ? match?.allow === true : match === undefined;
}

/** The first rule that matches decides; no rules permit everything, what none matches is denied. */
function rulesPermit(rules: ReturnType<typeof accessRules>, group: number): boolean {
  if (rules.length === 0) return true;
  const match = rules.find((rule) => !rule.group || prefixContains(parsePrefix(rule.group)!, group));
  return match?.action === 'permit';
}

/** Few bits, so that entries meet; also ones that are no multicast, or more than it. */
const prefix = fc
  .tuple(
    fc.constantFrom(0xef000000, 0xef0000f0, 0xe8000000, 0x0a000000, 0xe0000000),
    fc.nat(255),
    fc.constantFrom(0, 3, 4, 8, 16, 24, 28, 31, 32),
  )
  .map(([base, low, length]) => ({ address: ((base | low) & prefixMask(length)) >>> 0, length }));
const list = fc.array(fc.record({ allow: fc.boolean(), prefix }), { maxLength: 8 });
const group = fc
  .tuple(fc.constantFrom(0xef000000, 0xef000100, 0xe8000000, 0xe1000000), fc.nat(255))
  .map(([base, low]) => (base | low) >>> 0);

test('access rules permit the groups that the list lets through', () => {
  fc.assert(
    fc.property(list, fc.array(group, { minLength: 20, maxLength: 20 }), (entries, groups) => {
      const rules = accessRules(entries);
      for (const one of groups) expect([one, rulesPermit(rules, one)]).toEqual([one, igmpproxyPermits(entries, one)]);
    }),
    { numRuns: 500 },
  );
});

test('so do the groups of an upstream, each prefix once', () => {
  fc.assert(
    fc.property(list, fc.array(group, { minLength: 20, maxLength: 20 }), (entries, groups) => {
      const permitted = permittedGroups(entries, 4096);
      for (const one of groups) {
        const times = permitted === undefined ? 1 : permitted.filter((found) => prefixContains(found, one)).length;
        expect([one, times]).toEqual([one, igmpproxyPermits(entries, one) ? 1 : 0]);
      }
    }),
    { numRuns: 500 },
  );
});

test('a list that comes to more prefixes than allowed is given up early', () => {
  const entries = Array.from({ length: 4096 }, (_, i) => ({ allow: false, prefix: { address: 0xef000000 + i * 4, length: 32 } }));
  expect(permittedGroups(entries, 100)).toHaveLength(101);
});
