import { Mrib } from '../../../control/mrib/mrib';
import type { ReversePath } from '../../../control/mrib/reverse-path';
import { upstreamFilter } from '../../../control/mrib/upstream-filter';
import type { GroupDemand } from '../../../control/protocol/igmp/router/api';
import { demandFrom } from '../../../control/mrib/group-state';
import { thoughtOver } from './thought-over';

const [UP1, UP2, A, B] = [1, 2, 3, 4];
const G = 0xef010101;
const S1 = 0x0a000001;
const S2 = 0x0a000002;
const LOCAL = 0x0a020009;
const anySource: GroupDemand = { mode: 'exclude', sources: [], requested: [] };
const only = (...sources: number[]): GroupDemand => ({ mode: 'include', sources });

/** Two upstreams that serve everything together. */
function world() {
  const path: ReversePath & { up: readonly number[]; silent: number | undefined } = {
    up: [UP1, UP2],
    silent: undefined,
    crosses: () => true,
    forwardsTo: (vport) => vport !== path.silent,
    isUpstream: (vport) => vport <= UP2,
    upstreams: () => path.up,
    incomingFor: (source) => (source === LOCAL ? [B] : path.up),
  };
  const mrib = new Mrib({ sourceIdleMs: 210_000, maxLearntSources: 100, unwantedLifeMs: 30_000, maxUnwanted: 10 }, path);
  const route = (source: number) => {
    const found = mrib.wantedRoute(source, G);
    return found === undefined ? undefined : [found.incoming, found.outgoing];
  };
  return { mrib, path, route };
}

test('with two upstreams each source comes by the one by which it arrives', () => {
  const { mrib, route } = world();
  mrib.setDemand(A, G, anySource);
  expect(route(0)).toEqual([undefined, [A]]);
  mrib.sourceSeen(S1, G, UP1, 0);
  mrib.sourceSeen(S2, G, UP2, 0);
  expect(route(S1)).toEqual([UP1, [A]]);
  expect(route(S2)).toEqual([UP2, [A]]);
});

test('a source a host named asks for its interface with its first packet', () => {
  const { mrib, route } = world();
  mrib.setDemand(A, G, only(S1));
  expect(route(S1)).toEqual([undefined, [A]]);
  mrib.sourceSeen(S1, G, UP2, 0);
  expect(route(S1)).toEqual([UP2, [A]]);
});

test('what comes from one upstream never leaves by the other; what a downstream source sends leaves by both', () => {
  const { mrib, route } = world();
  mrib.setDemand(A, G, anySource);
  mrib.sourceSeen(S1, G, UP1, 0);
  mrib.sourceSeen(LOCAL, G, B, 0);
  expect(route(S1)).toEqual([UP1, [A]]);
  expect(route(LOCAL)).toEqual([B, [UP1, UP2, A]]);
});

test('the same stream by both upstreams: the first stays as long as it carries packets', () => {
  const { mrib, route } = world();
  mrib.setDemand(A, G, anySource);
  mrib.sourceSeen(S1, G, UP1, 0);
  mrib.sourcesActive([{ source: S1, group: G }], 10_000);
  expect(mrib.sourceSeen(S1, G, UP2, 12_999)).toEqual([]);
  expect(route(S1)).toEqual([UP1, [A]]);
  mrib.sourceSeen(S1, G, UP2, 13_000);
  expect(route(S1)).toEqual([UP2, [A]]);
});

test('when the upstream of a stream goes down, the other one is it at once', () => {
  const { mrib, path, route } = world();
  mrib.setDemand(A, G, anySource);
  mrib.sourceSeen(S1, G, UP1, 0);
  path.up = [UP2];
  thoughtOver(mrib);
  expect(route(0)).toEqual([UP2, [A]]);
  expect(route(S1)).toEqual([UP2, [A]]);
});

test('RFC 4605 4.2: an interface whose querier is another router gets nothing, until it is us again', () => {
  const { mrib, path, route } = world();
  mrib.setDemand(A, G, anySource);
  mrib.setDemand(B, G, anySource);
  mrib.sourceSeen(S1, G, UP1, 0);
  path.silent = A;
  thoughtOver(mrib);
  expect([route(0), route(S1)]).toEqual([[undefined, [B]], [UP1, [B]]]);
  path.silent = undefined;
  thoughtOver(mrib);
  expect(route(S1)).toEqual([UP1, [A, B]]);
});

describe('what is asked for at an upstream', () => {
  const demands = (...list: readonly GroupDemand[]) => list.map((demand, i) => demandFrom(A + i, demand));
  const scope = { crosses: () => true, upstreams: (_group: number, source?: number) => (source === S2 ? [UP2] : source === S1 ? [UP1] : [UP1, UP2]) };

  test('named sources are asked for where they are expected', () => {
    expect(upstreamFilter(UP1, G, demands(only(S1, S2)), scope)).toEqual({ mode: 'include', sources: [S1] });
    expect(upstreamFilter(UP2, G, demands(only(S1, S2)), scope)).toEqual({ mode: 'include', sources: [S2] });
    expect(upstreamFilter(UP2, G, demands(only(S1)), scope)).toBeUndefined();
  });

  test('any source is asked for at every upstream in use, without what nobody wants', () => {
    expect(upstreamFilter(UP1, G, demands({ mode: 'exclude', sources: [S1, S2], requested: [] }, only(S2)), scope)).toEqual({ mode: 'exclude', sources: [S1] });
    expect(upstreamFilter(UP1, G, demands(anySource), { ...scope, upstreams: () => [UP2] })).toBeUndefined();
  });

  test('what is wanted behind a boundary is not asked for', () => {
    expect(upstreamFilter(UP1, G, demands(anySource), { ...scope, crosses: (vport: number) => vport !== A })).toBeUndefined();
  });

  test('nothing wanted, nothing asked', () => expect(upstreamFilter(UP1, G, demands(), scope)).toBeUndefined());
});
