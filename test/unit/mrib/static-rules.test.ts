import fc from 'fast-check';
import { Mrib } from '../../../control/mrib/mrib';
import type { ReversePath } from '../../../control/mrib/reverse-path';
import { nameOf, type RouteChange, type WantedRoute } from '../../../control/mrib/route';
import { StaticRules, type RuleChange, type StaticRule } from '../../../control/mrib/static-rules';
import { formatPrefix, parseIpv4, parsePrefix } from '../../../control/protocol/packet/address';

const [UP, A, B] = [1, 2, 3];
const G = ip('239.1.1.1');
const S1 = ip('10.0.0.1');
const S2 = ip('10.0.0.2');
const anySource = { mode: 'exclude', sources: [], requested: [] } as const;

function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(text);
  return address;
}

function rule(group: string, source: string | undefined, changes: Partial<StaticRule> = {}): StaticRule {
  const prefixes = [group, source ?? '0.0.0.0/0'].map((text) => parsePrefix(text) ?? { address: 0, length: -1 });
  const [groupPrefix = { address: 0, length: -1 }, sourcePrefix] = prefixes;
  return { group: groupPrefix, source: source === undefined ? undefined : sourcePrefix, incoming: UP, outgoing: [B], ttlThreshold: 0, ...changes };
}

const PATH: ReversePath = { crosses: () => true, forwardsTo: () => true, isUpstream: (vport) => vport === UP, upstreams: () => [UP], incomingFor: () => [UP] };

function flowOf({ group, source }: Pick<StaticRule, 'group' | 'source'>): string {
  return `${formatPrefix(group)} ${source === undefined ? '*' : formatPrefix(source)}`;
}

function world() {
  const mrib = new Mrib({ sourceIdleMs: 210_000, maxLearntSources: 100, unwantedLifeMs: 30_000, maxUnwanted: 10 }, PATH);
  const installed = new Map<string, WantedRoute>();
  const apply = (changes: readonly RouteChange[]): void => {
    for (const change of changes) {
      if (change.kind === 'set') installed.set(nameOf(change.route), change.route);
      else if (!installed.delete(nameOf(change.key))) throw new Error(`${nameOf(change.key)} was not there`);
    }
    if (!mrib.isThinking) expect(new Map([...mrib.wantedRoutes()].map((route) => [nameOf(route), route]))).toEqual(installed);
  };
  let held: readonly StaticRule[] = [];
  /** These rules and no others, followed at once. */
  const rules = (next: readonly StaticRule[]): void => {
    const gone = held.filter((one) => !next.some((other) => flowOf(one) === flowOf(other)));
    held = next;
    const changes: RuleChange[] = [...gone.map((flow): RuleChange => ({ kind: 'remove', flow })), ...next.map((one): RuleChange => ({ kind: 'set', rule: one }))];
    apply([...mrib.changeStaticRules(changes), ...mrib.thinkOver(Infinity)]);
  };
  return { mrib, apply, rules, routes: () => [...installed.values()].map(({ incoming, outgoing, ...key }) => `${nameOf(key)}: ${incoming} → ${outgoing.join(' ')}`).sort() };
}

test('a static rule replaces every dynamic route of its group, and no other; without it they are back', () => {
  const w = world();
  const other = G + 1;
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.apply(w.mrib.setDemand(A, other, anySource));
  w.apply(w.mrib.sourceSeen(S1, G, UP, 0));
  const dynamic = w.routes();
  expect(dynamic).toHaveLength(3);
  w.rules([rule('239.1.1.1', undefined)]);
  expect(w.routes()).toEqual([`${S1}/${G}: 1 → 3`, `0/${G}: 1 → 3`, `0/${other}: 1 → 2`].sort());
  expect(w.mrib.isStatic({ source: 0, group: G })).toBe(true);
  expect(w.mrib.isStatic({ source: 0, group: other })).toBe(false);
  w.rules([]);
  expect(w.routes()).toEqual(dynamic);
});

test('what hosts say meanwhile is not lost', () => {
  const w = world();
  w.rules([rule('239.1.1.1', undefined)]);
  w.apply(w.mrib.setDemand(A, G, anySource));
  expect(w.routes()).toEqual([`0/${G}: 1 → 3`]);
  w.rules([]);
  expect(w.routes()).toEqual([`0/${G}: 1 → 2`]);
});

test('a source of a static (*,G) gets a route of its own to be counted, and loses it when it is silent', () => {
  const w = world();
  w.rules([rule('239.1.1.1', undefined, { ttlThreshold: 9 })]);
  w.apply(w.mrib.sourceSeen(S1, G, UP, 0));
  expect(w.mrib.wantedRoute(S1, G)).toEqual({ source: S1, group: G, incoming: UP, outgoing: [B], ttlThreshold: 9 });
  w.apply(w.mrib.sourceSeen(S2, G, A, 0));
  expect(w.mrib.wantedRoute(S2, G)).toBeUndefined();
  w.apply(w.mrib.expireSources(210_000));
  expect(w.routes()).toEqual([`0/${G}: 1 → 3`]);
});

test('a rule of one source leaves the other sources of the group without a route', () => {
  const w = world();
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.rules([rule('239.1.1.1', '10.0.0.1')]);
  expect(w.routes()).toEqual([`${S1}/${G}: 1 → 3`]);
  w.apply(w.mrib.sourceSeen(S2, G, UP, 0));
  expect(w.routes()).toEqual([`${S1}/${G}: 1 → 3`]);
});

test('rules of prefixes are ranges, and take the dynamic routes of all their groups away', () => {
  const w = world();
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.rules([rule('239.1.0.0/16', '10.0.0.0/8')]);
  expect(w.routes()).toEqual(['10.0.0.0/8 239.1.0.0/16: 1 → 3']);
  w.rules([rule('239.1.0.0/16', '10.0.0.0/8', { outgoing: [A, B] })]);
  expect(w.routes()).toEqual(['10.0.0.0/8 239.1.0.0/16: 1 → 2 3']);
  w.rules([]);
  expect(w.routes()).toEqual([`0/${G}: 1 → 2`]);
});

test('beside a rule for a range of sources, the one for every source is a range too: (*,G) would come before the longer one', () => {
  const w = world();
  const everySource = rule('239.1.1.1', undefined);
  w.rules([everySource]);
  expect(w.routes()).toEqual([`0/${G}: 1 → 3`]);
  w.rules([everySource, rule('239.1.1.1', '10.0.0.0/8', { outgoing: [A] })]);
  expect(w.routes()).toEqual(['0.0.0.0/0 239.1.1.1/32: 1 → 3', '10.0.0.0/8 239.1.1.1/32: 1 → 2']);
});

test('a range that goes stays until the groups it covered have their routes again', () => {
  const w = world();
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.rules([rule('239.1.0.0/16', undefined)]);
  const range = { group: ip('239.1.0.0'), groupLength: 16, source: 0, sourceLength: 0 };
  expect(w.mrib.changeStaticRules([{ kind: 'remove', flow: rule('239.1.0.0/16', undefined) }])).toEqual([]);
  expect(w.mrib.isThinking).toBe(true);
  expect(w.mrib.thinkOver(1)).toEqual([{ kind: 'set', route: { source: 0, group: G, incoming: UP, outgoing: [A] } }]);
  expect(w.mrib.thinkOver(1)).toEqual([{ kind: 'remove', key: range }]);
  expect(w.mrib.isThinking).toBe(false);
});

test('a range that comes back before it went is written again', () => {
  const w = world();
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.rules([rule('239.1.0.0/16', undefined)]);
  w.apply(w.mrib.changeStaticRules([{ kind: 'remove', flow: rule('239.1.0.0/16', undefined) }]));
  w.apply(w.mrib.changeStaticRules([{ kind: 'set', rule: rule('239.1.0.0/16', undefined, { outgoing: [A] }) }]));
  w.apply(w.mrib.thinkOver(Infinity));
  expect(w.routes()).toEqual(['0.0.0.0/0 239.1.0.0/16: 1 → 2']);
});

test('one rule of many of a group costs one change', () => {
  const w = world();
  w.rules(Array.from({ length: 1000 }, (_, i) => rule('239.1.1.1', `10.1.${i >> 8}.${i & 255}`)));
  const [changed] = [rule('239.1.1.1', '10.1.2.3', { outgoing: [A] })];
  expect(w.mrib.changeStaticRules([{ kind: 'set', rule: changed! }])).toEqual([{ kind: 'set', route: { source: ip('10.1.2.3'), group: G, incoming: UP, outgoing: [A] } }]);
  expect(w.mrib.isThinking).toBe(false);
});

/** Flows that contain one another in many ways, on few addresses. */
const GROUPS = ['239.1.1.1', '239.1.1.2', '239.1.1.0/24', '239.1.0.0/16'];
const SOURCES = [undefined, '10.0.0.1', '10.0.0.2', '10.0.0.0/24', '10.0.0.0/8'];

test('whatever comes in whatever pieces ends as if only the last rules had ever been', () => {
  const anyRule = fc.record({ group: fc.constantFrom(...GROUPS), source: fc.constantFrom(...SOURCES), outgoing: fc.constantFrom([A], [B], [A, B]) });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(anyRule, { minLength: 1, maxLength: 4 }).map((rules) => ({ do: 'set' as const, rules })) },
    { weight: 3, arbitrary: fc.array(anyRule, { minLength: 1, maxLength: 4 }).map((rules) => ({ do: 'remove' as const, rules })) },
    { weight: 2, arbitrary: fc.record({ source: fc.constantFrom(S1, S2), group: fc.constantFrom(G, G + 1) }).map((seen) => ({ do: 'seen' as const, ...seen })) },
    { weight: 1, arbitrary: fc.record({ group: fc.constantFrom(G, G + 1), wanted: fc.boolean() }).map((demand) => ({ do: 'demand' as const, ...demand })) },
    { weight: 1, arbitrary: fc.constant({ do: 'path' as const }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }).map((groups) => ({ do: 'think' as const, groups })) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const w = world();
      const held = new Map<string, StaticRule>();
      const demands = new Set<number>();
      for (const next of steps) {
        if (next.do === 'seen') w.apply(w.mrib.sourceSeen(next.source, next.group, UP, 0));
        else if (next.do === 'path') w.mrib.reversePathChanged();
        else if (next.do === 'think') w.apply(w.mrib.thinkOver(next.groups));
        else if (next.do === 'demand') {
          if (next.wanted) demands.add(next.group);
          else demands.delete(next.group);
          w.apply(w.mrib.setDemand(A, next.group, next.wanted ? anySource : undefined));
        } else {
          const rules = next.rules.map(({ group, source, outgoing }) => rule(group, source, { outgoing }));
          for (const one of rules) if (next.do === 'set') held.set(flowOf(one), one); else held.delete(flowOf(one));
          w.apply(w.mrib.changeStaticRules(rules.map((one): RuleChange => (next.do === 'set' ? { kind: 'set', rule: one } : { kind: 'remove', flow: one }))));
        }
      }
      w.apply(w.mrib.thinkOver(Infinity));
      // What was absorbed lives on as a source like others where somebody wants it by now.
      for (const nowMs of [10 ** 9, 2 * 10 ** 9]) w.apply(w.mrib.expireSources(nowMs));
      const fresh = world();
      for (const group of demands) fresh.apply(fresh.mrib.setDemand(A, group, anySource));
      fresh.rules([...held.values()]);
      expect(w.routes()).toEqual(fresh.routes());
    }),
    { numRuns: 500 },
  );
});

test('the longest group decides, then the longest source', () => {
  const rules = new StaticRules([rule('239.0.0.0/8', undefined), rule('239.1.0.0/16', '10.0.0.0/8'), rule('239.1.0.0/16', '10.0.0.0/24')]);
  expect(rules.match(S1, G)?.source?.length).toBe(24);
  expect(rules.match(ip('10.9.0.1'), G)?.source?.length).toBe(8);
  expect(rules.match(ip('172.16.0.1'), G)?.group.length).toBe(8);
  expect(rules.match(S1, ip('232.1.1.1'))).toBeUndefined();
  expect(rules.covers(ip('239.200.0.1'))).toBe(true);
  expect(rules.covers(ip('232.1.1.1'))).toBe(false);
});
