import { Mrib } from '../../../control/mrib/mrib';
import type { ReversePath } from '../../../control/mrib/reverse-path';
import { nameOf, type RouteChange, type WantedRoute } from '../../../control/mrib/route';
import { StaticRules, type StaticRule } from '../../../control/mrib/static-rules';
import { parseIpv4, parsePrefix } from '../../../control/protocol/packet/address';

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

function world() {
  const mrib = new Mrib({ sourceIdleMs: 210_000, maxLearntSources: 100, unwantedLifeMs: 30_000, maxUnwanted: 10 }, PATH);
  const installed = new Map<string, WantedRoute>();
  const apply = (changes: readonly RouteChange[]): void => {
    for (const change of changes) {
      if (change.kind === 'set') installed.set(nameOf(change.route), change.route);
      else if (!installed.delete(nameOf(change.key))) throw new Error(`${nameOf(change.key)} was not there`);
    }
    expect(new Set([...mrib.wantedRoutes()].map(nameOf))).toEqual(new Set(installed.keys()));
  };
  return { mrib, apply, routes: () => [...installed.values()].map(({ incoming, outgoing, ...key }) => `${nameOf(key)}: ${incoming} → ${outgoing.join(' ')}`).sort() };
}

test('a static rule replaces every dynamic route of its group, and no other; without it they are back', () => {
  const w = world();
  const other = G + 1;
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.apply(w.mrib.setDemand(A, other, anySource));
  w.apply(w.mrib.sourceSeen(S1, G, UP, 0));
  const dynamic = w.routes();
  expect(dynamic).toHaveLength(3);
  w.apply(w.mrib.setStaticRules([rule('239.1.1.1', undefined)]));
  expect(w.routes()).toEqual([`${S1}/${G}: 1 → 3`, `0/${G}: 1 → 3`, `0/${other}: 1 → 2`].sort());
  expect(w.mrib.isStatic({ source: 0, group: G })).toBe(true);
  expect(w.mrib.isStatic({ source: 0, group: other })).toBe(false);
  w.apply(w.mrib.setStaticRules([]));
  expect(w.routes()).toEqual(dynamic);
});

test('what hosts say meanwhile is not lost', () => {
  const w = world();
  w.apply(w.mrib.setStaticRules([rule('239.1.1.1', undefined)]));
  w.apply(w.mrib.setDemand(A, G, anySource));
  expect(w.routes()).toEqual([`0/${G}: 1 → 3`]);
  w.apply(w.mrib.setStaticRules([]));
  expect(w.routes()).toEqual([`0/${G}: 1 → 2`]);
});

test('a source of a static (*,G) gets a route of its own to be counted, and loses it when it is silent', () => {
  const w = world();
  w.apply(w.mrib.setStaticRules([rule('239.1.1.1', undefined, { ttlThreshold: 9 })]));
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
  w.apply(w.mrib.setStaticRules([rule('239.1.1.1', '10.0.0.1')]));
  expect(w.routes()).toEqual([`${S1}/${G}: 1 → 3`]);
  w.apply(w.mrib.sourceSeen(S2, G, UP, 0));
  expect(w.routes()).toEqual([`${S1}/${G}: 1 → 3`]);
});

test('rules of prefixes are ranges, and take the dynamic routes of all their groups away', () => {
  const w = world();
  w.apply(w.mrib.setDemand(A, G, anySource));
  w.apply(w.mrib.setStaticRules([rule('239.1.0.0/16', '10.0.0.0/8')]));
  expect(w.routes()).toEqual(['10.0.0.0/8 239.1.0.0/16: 1 → 3']);
  w.apply(w.mrib.setStaticRules([rule('239.1.0.0/16', '10.0.0.0/8', { outgoing: [A, B] })]));
  expect(w.routes()).toEqual(['10.0.0.0/8 239.1.0.0/16: 1 → 2 3']);
  w.apply(w.mrib.setStaticRules([]));
  expect(w.routes()).toEqual([`0/${G}: 1 → 2`]);
});

test('beside a rule for a range of sources, the one for every source is a range too: (*,G) would come before the longer one', () => {
  const w = world();
  const everySource = rule('239.1.1.1', undefined);
  w.apply(w.mrib.setStaticRules([everySource]));
  expect(w.routes()).toEqual([`0/${G}: 1 → 3`]);
  w.apply(w.mrib.setStaticRules([everySource, rule('239.1.1.1', '10.0.0.0/8', { outgoing: [A] })]));
  expect(w.routes()).toEqual(['0.0.0.0/0 239.1.1.1/32: 1 → 3', '10.0.0.0/8 239.1.1.1/32: 1 → 2']);
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
