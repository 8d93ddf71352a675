/**
 * Random lives of IGMPv3 hosts that answer as the RFC says: with tracked quick leave nobody loses what it wants, what the last one
 * leaves is gone at once, and the hosts known are the hosts there are.
 */
import fc from 'fast-check';
import { GMI, GROUP, QUERY_INTERVAL, SSM_GROUP, Scenario, ip, source } from './scenario';
import { NOTHING, TrueHost, type Filter } from './true-hosts';

const GROUPS = [GROUP, SSM_GROUP];
const SOURCES = ['a', 'b', 'c'].map(source);
const STRANGER = source('z');

const change = fc.record({
  host: fc.nat(3),
  group: fc.constantFrom(...GROUPS),
  mode: fc.constantFrom('include' as const, 'exclude' as const),
  sources: fc.subarray(SOURCES),
  leaves: fc.boolean(),
  gapMs: fc.oneof(fc.constant(0), fc.nat(3_000), fc.constantFrom(QUERY_INTERVAL, GMI)),
});
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

class Link {
  readonly scenario = Scenario.up({ quickLeave: 'tracked' });
  readonly hosts: readonly TrueHost[];

  constructor(splits: boolean) {
    this.hosts = [0, 1, 2, 3].map((index) => new TrueHost(ip('10.1.0.50') + index, splits));
    this.pass(10_000);
  }

  pass(gapMs: number): void {
    const endMs = this.scenario.nowMs + gapMs;
    for (let next = this.#next(); next !== undefined && next <= endMs; next = this.#next()) {
      this.scenario.nowMs = Math.max(this.scenario.nowMs, next);
      this.scenario.input({ kind: 'timer' });
      this.#answer();
    }
    this.scenario.nowMs = endMs;
  }

  change({ host: index, group, mode, sources, leaves }: Change): void {
    const host = this.hosts[index]!;
    // The source-specific range knows no EXCLUDE mode (RFC 4604 §3.1).
    const next: Filter = leaves ? NOTHING : { mode: group === SSM_GROUP ? 'include' : mode, sources: new Set(sources) };
    for (const message of host.become(group, next)) this.scenario.receive(message, host.address);
    this.#answer();
  }

  isForwarded(group: number, address: number): boolean {
    const wanted = this.scenario.wanted.get(group);
    return wanted !== undefined && wanted.sources.includes(address) === (wanted.mode === 'include');
  }

  #next(): number | undefined {
    return this.scenario.machine.nextDeadline();
  }

  #answer(): void {
    for (let sent = this.scenario.takeSent(); sent.length > 0; sent = this.scenario.takeSent()) {
      for (const { message } of sent) {
        if (message.kind !== 'query') continue;
        for (const host of this.hosts) {
          for (const answer of host.answer(message)) this.scenario.receive(answer, host.address);
        }
      }
    }
  }
}

function expectNobodyMisses(link: Link): void {
  for (const host of link.hosts) {
    for (const group of GROUPS) {
      for (const address of [...SOURCES, STRANGER]) {
        if (host.wants(group, address))
          expect([group, address, link.isForwarded(group, address)]).toEqual([group, address, true]);
      }
    }
  }
}

function expectNothingUnwanted(link: Link): void {
  for (const group of GROUPS) {
    if (!link.hosts.some((host) => host.filters.has(group))) expect(link.scenario.state(group)).toBe('nothing');
  }
}

function expectHostsKnown(link: Link): void {
  for (const group of GROUPS) {
    const known = link.scenario.membership(group);
    const members = link.hosts.flatMap(({ address, filters }) => {
      const filter = filters.get(group);
      return filter === undefined ? [] : [{ address, mode: filter.mode, sources: [...filter.sources].sort() }];
    });
    const tracked = (known?.hosts ?? []).map(({ address, mode, sources }) => ({ address, mode, sources: [...sources].sort() }));
    expect(tracked.sort((one, other) => one.address - other.address)).toEqual(members);
    if (known !== undefined) expect(known.allHostsKnown).toBe(true);
  }
}

test.each([
  ['lists in one message', false],
  ['lists split over messages', true],
])('nobody misses anything, nothing unwanted stays, and the hosts are known: %s', (_, splits) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 25 }), (changes) => {
      const link = new Link(splits);
      for (const next of changes) {
        link.pass(next.gapMs);
        expectNobodyMisses(link);
        link.change(next);
        expectNobodyMisses(link);
        expectNothingUnwanted(link);
        expectHostsKnown(link);
      }
    }),
    { numRuns: 150 },
  );
});
