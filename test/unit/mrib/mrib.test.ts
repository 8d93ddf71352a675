import fc from 'fast-check';
import { Mrib } from '../../../control/mrib/mrib';
import type { RouteChange, VportId, WantedRoute } from '../../../control/mrib/route';
import { routeName } from '../../../control/mrib/route';
import type { GroupDemand } from '../../../control/protocol/igmp/router/api';
import { parseIpv4 } from '../../../control/protocol/packet/address';
import { thoughtOver } from './thought-over';

const UPSTREAM = 1;
const [A, B, C] = [2, 3, 4];
const G = ip('239.1.1.1');
const S1 = ip('10.0.0.1');
const S2 = ip('10.0.0.2');
const LOCAL = ip('10.2.0.9');

function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(text);
  return address;
}

const anySource: GroupDemand = { mode: 'exclude', sources: [], requested: [] };
const allBut = (...sources: number[]): GroupDemand => ({ mode: 'exclude', sources, requested: [] });
const only = (...sources: number[]): GroupDemand => ({ mode: 'include', sources });

function listOf(vport: VportId | undefined): readonly VportId[] {
  return vport === undefined ? [] : [vport];
}

interface World {
  readonly mrib: Mrib;
  readonly path: { upstream: VportId | undefined; local: VportId | undefined; closed: VportId | undefined; silent: VportId | undefined };
  /** What a data plane would hold after all changes so far. */
  readonly installed: Map<string, WantedRoute>;
  do(changes: readonly RouteChange[]): void;
  route(source: number): { incoming: VportId | undefined; outgoing: readonly VportId[] } | undefined;
}

function world(options: { upstream?: VportId; maxLearntSources?: number; maxUnwanted?: number } = { upstream: UPSTREAM }): World {
  const path = { upstream: options.upstream, local: B as VportId | undefined, closed: undefined as VportId | undefined, silent: undefined as VportId | undefined };
  const mrib = new Mrib(
    { sourceIdleMs: 210_000, maxLearntSources: options.maxLearntSources ?? 100, unwantedLifeMs: 30_000, maxUnwanted: options.maxUnwanted ?? 10 },
    {
      crosses: (vport) => vport !== path.closed,
      forwardsTo: (vport) => vport !== path.silent,
      isUpstream: (vport) => vport === UPSTREAM,
      upstreams: () => listOf(path.upstream === path.closed ? undefined : path.upstream),
      incomingFor: (source) => listOf(source === LOCAL ? path.local : path.upstream),
    },
  );
  const installed = new Map<string, WantedRoute>();
  return {
    mrib,
    path,
    installed,
    do(changes) {
      for (const change of changes) {
        if (change.kind === 'set') installed.set(routeName(change.route.source, change.route.group), change.route);
        else installed.delete(routeName(change.key.source, change.key.group));
      }
    },
    route(source) {
      const found = installed.get(routeName(source, G));
      return found === undefined ? undefined : { incoming: found.incoming, outgoing: found.outgoing };
    },
  };
}

test('members of any source make a (*,G) route from the upstream to all of them', () => {
  const w = world();
  w.do(w.mrib.setDemand(B, G, anySource));
  w.do(w.mrib.setDemand(A, G, anySource));
  expect(w.route(0)).toEqual({ incoming: UPSTREAM, outgoing: [A, B] });
  expect(w.installed.size).toBe(1);
});

test('a member of one source makes its (S,G) route before a packet was seen, and no (*,G)', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, only(S1)));
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [A] });
  expect(w.route(0)).toBeUndefined();
});

test('any-source and source-specific members of one group: each gets what it asked for', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.setDemand(B, G, only(S1)));
  expect(w.route(0)?.outgoing).toEqual([A]);
  expect(w.route(S1)?.outgoing).toEqual([A, B]);
});

test('RFC 3376 6.3: an excluded source is forwarded to the others and not to the interface that excludes it', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, allBut(S1)));
  w.do(w.mrib.setDemand(B, G, anySource));
  expect(w.route(0)?.outgoing).toEqual([A, B]);
  expect(w.route(S1)?.outgoing).toEqual([B]);
});

test('a source everybody excludes has a route that drops, so that (*,G) does not forward it', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, allBut(S1)));
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [] });
});

test('the route that keeps an excluded source back is written before the (*,G) that would let it through', () => {
  const w = world();
  const changes = w.mrib.setDemand(A, G, allBut(S1));
  expect(changes.map((change) => (change.kind === 'set' ? change.route.source : -1))).toEqual([S1, 0]);
});

test('a source seen sending gets an (S,G) route of its own, so that it can be counted', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [A] });
});

test('a packet that came in by another interface than its source lives behind makes no state', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.sourceSeen(S1, G, C, 0));
  expect(w.route(S1)).toBeUndefined();
});

test('a stream nobody listens to is absorbed for a while by a route without outgoing interfaces', () => {
  const w = world();
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [] });
  w.mrib.sourcesActive([{ source: S1, group: G }], 29_000);
  w.do(w.mrib.expireSources(29_999));
  expect(w.installed.size).toBe(1);
  w.do(w.mrib.expireSources(30_000));
  expect(w.installed.size).toBe(0);
});

test('a join makes an absorbed stream flow at once, and it stays when its time of absorption is over', () => {
  const w = world();
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.do(w.mrib.setDemand(A, G, anySource));
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [A] });
  w.do(w.mrib.expireSources(30_000));
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [A] });
  w.do(w.mrib.expireSources(240_000));
  expect(w.route(S1)).toBeUndefined();
});

test('absorbed streams have a limit of their own: strangers do not fill the table', () => {
  const w = world({ upstream: UPSTREAM, maxUnwanted: 1 });
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.do(w.mrib.sourceSeen(S2, G, UPSTREAM, 0));
  expect(w.installed.size).toBe(1);
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.sourceSeen(S2, G, UPSTREAM, 0));
  expect(w.route(S2)?.outgoing).toEqual([A]);
});

test('RFC 2365: a group does not cross a boundary, in neither direction', () => {
  const w = world();
  w.path.closed = A;
  w.do(w.mrib.setDemand(A, G, anySource));
  expect(w.installed.size).toBe(0);
  w.do(w.mrib.setDemand(B, G, anySource));
  expect(w.route(0)?.outgoing).toEqual([B]);
  w.path.closed = UPSTREAM;
  w.do(thoughtOver(w.mrib));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  expect(w.route(0)).toEqual({ incoming: undefined, outgoing: [A, B] });
  expect(w.route(S1)).toEqual({ incoming: UPSTREAM, outgoing: [] });
});

test('RFC 2365: a downstream source is not sent across the boundary of the upstream', () => {
  const w = world();
  w.path.closed = UPSTREAM;
  w.do(w.mrib.sourceSeen(LOCAL, G, B, 0));
  expect(w.route(LOCAL)).toEqual({ incoming: B, outgoing: [] });
});

test('RFC 4605 4.2: what a downstream source sends goes upstream and to the other members', () => {
  const w = world();
  w.do(w.mrib.sourceSeen(LOCAL, G, B, 0));
  expect(w.route(LOCAL)).toEqual({ incoming: B, outgoing: [UPSTREAM] });
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.setDemand(B, G, anySource));
  expect(w.route(LOCAL)).toEqual({ incoming: B, outgoing: [UPSTREAM, A] });
});

test('the last leave takes every route of the group away', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, allBut(S2)));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.do(w.mrib.setDemand(A, G, undefined));
  expect(w.installed.size).toBe(0);
  expect([...w.mrib.wantedRoutes()]).toEqual([]);
});

test('a leave on one interface leaves the others as they are', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.setDemand(B, G, anySource));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.do(w.mrib.setDemand(A, G, undefined));
  expect(w.route(0)?.outgoing).toEqual([B]);
  expect(w.route(S1)?.outgoing).toEqual([B]);
});

test('nothing changed, nothing is written', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  expect(w.mrib.setDemand(A, G, { mode: 'exclude', sources: [], requested: [S1] })).toEqual([]);
  expect(thoughtOver(w.mrib)).toEqual([]);
});

test('a learnt source is forgotten after its idle time, not while it is counted', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.mrib.sourcesActive([{ source: S1, group: G }], 200_000);
  w.do(w.mrib.expireSources(400_000));
  expect(w.route(S1)).toBeDefined();
  w.do(w.mrib.expireSources(410_000));
  expect(w.route(S1)).toBeUndefined();
  expect(w.route(0)).toBeDefined();
});

test('a source a host named stays when it is idle', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, only(S1)));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.do(w.mrib.expireSources(1e9));
  expect(w.route(S1)?.outgoing).toEqual([A]);
});

test('learnt sources have a limit: the new one is refused, the old ones stay', () => {
  const w = world({ upstream: UPSTREAM, maxLearntSources: 1 });
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.do(w.mrib.sourceSeen(S2, G, UPSTREAM, 0));
  expect(w.route(S1)).toBeDefined();
  expect(w.route(S2)).toBeUndefined();
});

test('while the upstream is away (*,G) asks for every source, and (S,G) through it are gone; both return with it', () => {
  const w = world();
  w.do(w.mrib.setDemand(A, G, anySource));
  w.do(w.mrib.sourceSeen(S1, G, UPSTREAM, 0));
  w.path.upstream = undefined;
  w.do(thoughtOver(w.mrib));
  expect(w.route(0)).toEqual({ incoming: undefined, outgoing: [A] });
  expect(w.route(S1)).toBeUndefined();
  w.path.upstream = UPSTREAM;
  w.do(thoughtOver(w.mrib));
  expect(w.route(0)?.incoming).toBe(UPSTREAM);
  expect(w.route(S1)?.incoming).toBe(UPSTREAM);
});

test('without an upstream the reverse path of each source decides', () => {
  const w = world({});
  w.do(w.mrib.setDemand(A, G, anySource));
  expect(w.route(0)).toEqual({ incoming: undefined, outgoing: [A] });
  w.do(w.mrib.sourceSeen(LOCAL, G, B, 0));
  expect(w.route(LOCAL)).toEqual({ incoming: B, outgoing: [A] });
});

const demand = fc.oneof(
  fc.constant(undefined),
  fc.subarray([S1, S2, LOCAL], { minLength: 1 }).map((sources): GroupDemand => ({ mode: 'include', sources })),
  fc.subarray([S1, S2, LOCAL]).map((sources): GroupDemand => ({ mode: 'exclude', sources, requested: [] })),
);
const step = fc.oneof(
  fc.record({ kind: fc.constant('demand' as const), vport: fc.constantFrom(UPSTREAM, A, B, C), demand }),
  fc.record({ kind: fc.constant('seen' as const), source: fc.constantFrom(S1, S2, LOCAL), vport: fc.constantFrom(UPSTREAM, A, B) }),
  fc.record({ kind: fc.constant('path' as const), upstream: fc.constantFrom(undefined, UPSTREAM), local: fc.constantFrom(undefined, A, B) }),
  fc.record({ kind: fc.constant('expire' as const), nowMs: fc.nat(1_000_000) }),
);

test('any history: no route leaves by its incoming interface, and every interface gets exactly what it wants of a sending source', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const w = world();
      const demands = new Map<VportId, GroupDemand>();
      for (const s of steps) {
        if (s.kind === 'demand') {
          if (s.demand === undefined) demands.delete(s.vport);
          else demands.set(s.vport, s.demand);
          w.do(w.mrib.setDemand(s.vport, G, s.demand));
        } else if (s.kind === 'seen') w.do(w.mrib.sourceSeen(s.source, G, s.vport, 0));
        else if (s.kind === 'expire') w.do(w.mrib.expireSources(s.nowMs));
        else {
          Object.assign(w.path, { upstream: s.upstream, local: s.local });
          w.do(thoughtOver(w.mrib));
        }
        checkInvariants(w, demands);
      }
    }),
    { numRuns: 500 },
  );
});

function checkInvariants(w: World, demands: ReadonlyMap<VportId, GroupDemand>): void {
  expect(new Map([...w.mrib.wantedRoutes()].map((route) => [routeName(route.source, route.group), route]))).toEqual(w.installed);
  for (const route of w.installed.values()) expect(route.outgoing).not.toContain(route.incoming);
  for (const source of [S1, S2, LOCAL]) {
    const incoming = source === LOCAL ? w.path.local : w.path.upstream;
    if (incoming === undefined) continue;
    const own = w.route(source);
    const star = w.route(0);
    // What a packet of this source, come in by its reverse path, would meet.
    const met = own ?? (star?.incoming === incoming ? star : undefined);
    const wanting = [...demands].filter(([vport, d]) => vport !== incoming && d.sources.includes(source) === (d.mode === 'include')).map(([vport]) => vport);
    const reached = (met?.outgoing ?? []).filter((vport) => vport !== w.path.upstream || wanting.includes(vport));
    // Without a route of its own a source behind a downstream interface is a question to the controller first.
    if (met !== undefined) expect([...reached].sort()).toEqual(wanting.sort());
    else if (incoming === w.path.upstream) expect(wanting).toEqual([]);
  }
}
