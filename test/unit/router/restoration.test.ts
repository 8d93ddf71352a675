/** Routes turned back into what they stand for: fed to a new routing base they bring about the same routes. */
import fc from 'fast-check';
import { Mrib, type MribSettings } from '../../../control/mrib/mrib';
import type { ReversePath } from '../../../control/mrib/reverse-path';
import { nameOf, type RouteChange, type WantedRoute } from '../../../control/mrib/route';
import type { GroupDemand } from '../../../control/protocol/igmp/router/api';
import { latestOf, restorationOf } from '../../../control/router/restoration';
import { StaleRoutes } from '../../../control/router/stale-routes';
import { ip } from './fakes';

const G = ip('239.1.1.1');
const [UP1, UP2, LAN1, LAN2, LAN3] = [1, 2, 3, 4, 5];
const SETTINGS: MribSettings = { sourceIdleMs: 1000, maxLearntSources: 100, unwantedLifeMs: 1000, maxUnwanted: 10 };
/** The first is downstream of LAN1, the others come by both upstreams. */
const SOURCES = [ip('10.1.1.10'), ip('10.100.0.10'), ip('10.100.0.11')];
const DOWNSTREAM = [LAN1, LAN2, LAN3];

function path(upstreams: readonly number[]): ReversePath {
  return {
    incomingFor: (source) => (source === SOURCES[0] ? [LAN1] : upstreams),
    upstreams: () => upstreams,
    isUpstream: (vport) => vport === UP1 || vport === UP2,
    crosses: () => true,
    forwardsTo: () => true,
  };
}

function shown(routes: Iterable<WantedRoute>): readonly string[] {
  return [...routes].map((route) => `${nameOf(route)} ${route.incoming} → ${route.outgoing.join()}`).sort();
}

const demand = fc.record({
  vport: fc.constantFrom(...DOWNSTREAM),
  mode: fc.constantFrom('include' as const, 'exclude' as const),
  sources: fc.uniqueArray(fc.constantFrom(...SOURCES)),
});
const stream = fc.record({ source: fc.constantFrom(...SOURCES), vport: fc.constantFrom(UP1, UP2, LAN1) });

function asked({ mode, sources }: { readonly mode: 'include' | 'exclude'; readonly sources: readonly number[] }): GroupDemand | undefined {
  if (mode === 'exclude') return { mode, sources, requested: [] };
  return sources.length === 0 ? undefined : { mode, sources };
}

test('whatever hosts wanted and whatever streams there were: the same routes', () => {
  const cases = fc.record({ demands: fc.array(demand, { maxLength: 5 }), streams: fc.array(stream, { maxLength: 4 }), upstreams: fc.constantFrom([UP1], [UP1, UP2]) });
  fc.assert(
    fc.property(cases, ({ demands, streams, upstreams }) => {
      const before = new Mrib(SETTINGS, path(upstreams));
      for (const { vport, ...rest } of demands) before.setDemand(vport, G, asked(rest));
      for (const { source, vport } of streams) before.sourceSeen(source, G, vport, 0);
      const routes = [...before.wantedRoutes()];

      const { memberships, streams: seen } = restorationOf(routes, {
        isDownstream: (vport) => DOWNSTREAM.includes(vport),
        isStatic: () => false,
        hasSeveralWays: (source, group) => path(upstreams).incomingFor(source, group).length > 1,
      });
      const after = new Mrib(SETTINGS, path(upstreams));
      for (const { vport, group, ...rest } of memberships) after.setDemand(vport, group, asked(rest));
      for (const { source, group, incoming } of seen) after.sourceSeen(source, group, incoming, 0);
      expect(shown(after.wantedRoutes())).toEqual(shown(routes));
    }),
  );
});

test('static routes and ranges follow from the configuration and stand for no host', () => {
  const star: WantedRoute = { source: 0, group: G, incoming: UP1, outgoing: [LAN1] };
  const network = { isDownstream: () => true, hasSeveralWays: () => false };
  expect(restorationOf([star], { ...network, isStatic: () => true })).toEqual({ memberships: [], streams: [] });
  expect(restorationOf([{ ...star, groupLength: 24, sourceLength: 0 }], { ...network, isStatic: () => false })).toEqual({ memberships: [], streams: [] });
});

describe('of several changes', () => {
  const set = (source: number, ...outgoing: number[]): RouteChange => ({ kind: 'set', route: { source, group: G, incoming: UP1, outgoing } });
  const remove = (source: number): RouteChange => ({ kind: 'remove', key: { source, group: G } });

  test('the last of each route stands, in the order in which these came', () => {
    expect([...latestOf([set(0, LAN1), set(1, LAN1), remove(0), set(1, LAN2), set(0, LAN1, LAN2)])]).toEqual([set(1, LAN2), set(0, LAN1, LAN2)]);
  });
});

describe('stale routes', () => {
  const route = (source: number, group = G): WantedRoute => ({ source, group, incoming: UP1, outgoing: [LAN1] });

  test('one that is changed is stale no more', () => {
    const stale = new StaleRoutes([route(0), route(1)]);
    stale.changed([{ kind: 'set', route: route(1) }]);
    expect([stale.size, stale.takeAll().map(({ kind }) => kind)]).toEqual([1, ['remove']]);
    expect(stale.size).toBe(0);
  });

  test('those of one group go together, the others stay', () => {
    const stale = new StaleRoutes([route(0), route(1), route(0, G + 1)]);
    expect(stale.takeGroup(G)).toHaveLength(2);
    expect(stale.takeGroup(G)).toEqual([]);
    expect(stale.size).toBe(1);
  });
});
