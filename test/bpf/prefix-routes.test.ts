/** Routes for ranges, as the programs match them: longest group, then longest source, below (S,G) and (*,G). */
import fc from 'fast-check';
import type { PrefixRoutes } from '../../control/dataplane/prefix-routes';
import { formatIpv4, parsePrefix, prefixContains, type Ipv4Prefix } from '../../control/protocol/packet/address';
import { Forwarder, VPORT } from './forwarder';
import { frame, ip } from './packet';

let forwarder: Forwarder;
let routes: PrefixRoutes;
beforeEach(async () => {
  forwarder = await Forwarder.load();
  routes = forwarder.prefixRoutes();
});
afterEach(() => forwarder.close());

function prefix(text: string): Ipv4Prefix {
  const found = parsePrefix(text);
  if (found === undefined) throw new Error(text);
  return found;
}

/** Each route counts in a slot of its own: that is how it shows which one a packet met. */
function add(group: string, source: string, counter: number): void {
  routes.set(prefix(group), prefix(source), forwarder.abi.route({ counter, group: 0, incoming: VPORT, copies: 1, learn: false, ttlThreshold: 0 }));
}

/** The counter that one packet adds to; undefined: no route. */
function met(source: string, group: string, counters: readonly number[]): number | undefined {
  const before = counters.map((counter) => forwarder.route(counter).packets);
  forwarder.run(frame({ source, group }));
  return counters.find((counter, i) => forwarder.route(counter).packets !== before[i]);
}

test('the longest group prefix decides before the longest source prefix', () => {
  add('239.0.0.0/8', '10.1.1.0/24', 1);
  add('239.1.0.0/16', '10.0.0.0/8', 2);
  expect(met('10.1.1.5', '239.1.2.3', [1, 2])).toBe(2);
  expect(met('10.1.1.5', '239.2.2.3', [1, 2])).toBe(1);
  expect(met('10.9.1.5', '239.2.2.3', [1, 2])).toBeUndefined();
});

test('a source that the longer group prefix leaves open falls back to the shorter one', () => {
  add('239.0.0.0/8', '0.0.0.0/0', 1);
  add('239.1.0.0/16', '10.0.0.0/8', 2);
  expect(met('172.16.0.1', '239.1.2.3', [1, 2])).toBe(1);
});

test('(S,G) and (*,G) go before any prefix', () => {
  add('239.1.1.1', '10.100.0.10', 1);
  forwarder.setRoute('*', '239.1.1.1', { counter: 2 });
  expect(met('10.100.0.10', '239.1.1.1', [1, 2])).toBe(2);
  forwarder.setRoute('10.100.0.10', '239.1.1.1', { counter: 3 });
  expect(met('10.100.0.10', '239.1.1.1', [1, 2, 3])).toBe(3);
});

test('removing a route uncovers what it hid', () => {
  add('239.0.0.0/8', '0.0.0.0/0', 1);
  add('239.1.0.0/16', '0.0.0.0/0', 2);
  routes.remove(prefix('239.1.0.0/16'), prefix('0.0.0.0/0'));
  expect(met('10.0.0.1', '239.1.2.3', [1, 2])).toBe(1);
  routes.remove(prefix('239.0.0.0/8'), prefix('0.0.0.0/0'));
  expect(met('10.0.0.1', '239.1.2.3', [1, 2])).toBeUndefined();
});

test('a full table refuses the new route and keeps the old ones', () => {
  const groups = Array.from({ length: 64 }, (_, i) => `239.${i}.0.0/16`);
  groups.forEach((group, i) => add(group, '10.0.0.0/8', i));
  expect(() => add('239.200.0.0/16', '10.0.0.0/8', 100)).toThrow(/ENOSPC|E2BIG/);
  expect(met('10.0.0.1', '239.63.0.1', [63, 100])).toBe(63);
  expect(met('10.0.0.1', '239.200.0.1', [63, 100])).toBeUndefined();
  routes.remove(prefix('239.5.0.0/16'), prefix('10.0.0.0/8'));
  add('239.200.0.0/16', '10.0.0.0/8', 100);
  expect(met('10.0.0.1', '239.200.0.1', [63, 100])).toBe(100);
});

test('any history of routes: the programs match as a plain search does', () => {
  const lengths = fc.constantFrom(0, 8, 9, 15, 16, 24, 31, 32);
  const within = (base: number, length: number, bits: number): string => `${formatIpv4(maskTo(base | bits, length))}/${length}`;
  const group = fc.tuple(lengths.map((length) => Math.max(length, 4)), fc.constantFrom(0x010101, 0x010201, 0x7f0101, 0)).map(([length, bits]) => within(0xef000000, length, bits));
  const source = fc.tuple(lengths, fc.constantFrom(0x010101, 0x010102, 0x018000)).map(([length, bits]) => within(0x0a000000, length, bits));
  const step = fc.record({ add: fc.boolean(), group, source });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const present = new Map<string, { group: Ipv4Prefix; source: Ipv4Prefix; counter: number }>();
      steps.forEach((each, i) => {
        const name = `${each.group} ${each.source}`;
        if (each.add) {
          add(each.group, each.source, i + 1);
          present.set(name, { group: prefix(each.group), source: prefix(each.source), counter: i + 1 });
        } else {
          routes.remove(prefix(each.group), prefix(each.source));
          present.delete(name);
        }
      });
      const counters = steps.map((_, i) => i + 1);
      for (const [s, g] of [['10.1.1.1', '239.1.1.1'], ['10.1.1.2', '239.1.2.1'], ['10.1.128.9', '239.127.1.1'], ['172.16.0.1', '239.1.1.1']] as const) {
        expect(met(s, g, counters)).toBe(plainSearch([...present.values()], ip(s), ip(g)));
      }
      for (const { group: g, source: s } of present.values()) routes.remove(g, s);
    }),
    { numRuns: 200 },
  );
});

function maskTo(address: number, length: number): number {
  return length === 0 ? 0 : (address & (0xffffffff << (32 - length))) >>> 0;
}

function plainSearch(present: readonly { group: Ipv4Prefix; source: Ipv4Prefix; counter: number }[], source: number, group: number): number | undefined {
  const matching = present.filter((route) => prefixContains(route.group, group) && prefixContains(route.source, source));
  return matching.sort((a, b) => b.group.length - a.group.length || b.source.length - a.source.length)[0]?.counter;
}
