/** Random changes and random losses between this machine and the router machine: what the querier knows is what is wanted. */
import fc from 'fast-check';
import type { HostFilter } from '../../../control/protocol/igmp/host/api';
import type { Ipv4 } from '../../../control/protocol/packet/address';
import { ascending } from '../../../control/protocol/igmp/host/filter';
import { describeFilter, ip, source } from './scenario';
import { UpstreamLink } from './upstream-link';

const GROUPS = ['239.1.1.1', '239.1.1.2', '239.1.1.3'].map(ip);
const SOURCES = ['a', 'b', 'c', 'd'].map(source);
const GMI = 3 * 125_000 + 10_000;

const filter: fc.Arbitrary<HostFilter | undefined> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(undefined) },
  {
    weight: 5,
    arbitrary: fc.record({ mode: fc.constantFrom('include' as const, 'exclude' as const), sources: fc.subarray(SOURCES) }),
  },
);
const change = fc.record({
  group: fc.constantFrom(...GROUPS),
  filter,
  /** 0: in the same turn as the next one. The others fall between, onto and after repetitions and last-member queries. */
  gapMs: fc.oneof(fc.constantFrom(0, 1, 499, 500, 999, 1_000, 2_000), fc.nat(4_000), fc.nat(150_000)),
});
const changes = fc.array(change, { minLength: 1, maxLength: 12 });
const chance = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));

function described(entries: Iterable<readonly [Ipv4, HostFilter]>): string[] {
  return Array.from(
    entries,
    ([group, { mode, sources }]) => `${group} ${describeFilter({ mode, sources: ascending(sources) })}`,
  ).sort();
}

function expectAgreement(link: UpstreamLink): void {
  const wanted = Array.from(link.host.wanted(), (entry) => [entry.group, entry.filter] as const);
  expect(described(link.demands)).toEqual(described(wanted));
}

function drawFrom(stream: fc.Stream<number>): () => number {
  return () => stream.next().value as number;
}

test.each([2, 3])(
  'a robustness of %i bears one loss less, of whatever packets, before the last repetition is through',
  (robustness) => {
    const losses = fc.uniqueArray(fc.nat(20), { maxLength: robustness - 1 });
    fc.assert(
      fc.property(changes, chance, losses, (steps, stream, lost) => {
        let packets = -1;
        const loses = (sender: string) => sender === 'host' && lost.includes((packets += 1));
        const link = new UpstreamLink({ robustness, routerVersion: 3, random: drawFrom(stream), loses });
        for (const step of steps) {
          link.want(step.group, step.filter);
          link.after(step.gapMs);
        }
        // The repetitions, and the Last Member Query Time of the router after the last of them.
        link.after(robustness * 1_000 + robustness * 1_000);
        expectAgreement(link);
      }),
      { numRuns: 300 },
    );
  },
);

describe.each([3, 2] as const)('a querier of version %i', (routerVersion) => {
  test('after any losses, one Group Membership Interval without is enough', () => {
    fc.assert(
      fc.property(changes, chance, fc.integer({ min: 0, max: 9 }), (steps, stream, lossTenths) => {
        const random = drawFrom(stream);
        let isLossy = true;
        const link = new UpstreamLink({
          robustness: 3,
          routerVersion,
          random,
          loses: () => isLossy && random() * 10 < lossTenths,
        });
        for (const step of steps) {
          link.want(step.group, step.filter);
          if (step.gapMs === 999) link.flapHostLink();
          link.after(step.gapMs);
        }
        isLossy = false;
        // The host is back in this version with the next query, what nobody confirms is gone after the interval.
        link.after(125_000 + 2 * GMI);
        expectAgreement(link);
      }),
      { numRuns: 100 },
    );
  });
});
