/** Route changes on their way to the data plane: few at once, many in pieces, refused ones again. */
import type { RouteProblem } from '../../../control/dataplane/api';
import { routeName, type RouteChange } from '../../../control/mrib/route';
import { RouteSync } from '../../../control/router/route-sync';
import { FakeDataplane } from './fakes';

const set = (source: number, group = 1, outgoing: readonly number[] = [2]): RouteChange => ({ kind: 'set', route: { source, group, incoming: 1, outgoing } });
const remove = (source: number, group = 1): RouteChange => ({ kind: 'remove', key: { source, group } });
const routes = (count: number, group = 1): RouteChange[] => Array.from({ length: count }, (_, i) => set(i + 1, group));

/** Every call takes a millisecond, so that turns are short. */
class SlowDataplane extends FakeDataplane {
  readonly calls: number[] = [];
  nowMs = 0;

  override applyRoutes(changes: readonly RouteChange[]): readonly RouteProblem[] {
    this.calls.push(changes.length);
    this.nowMs++;
    return super.applyRoutes(changes);
  }
}

function world() {
  jest.useFakeTimers();
  const dataplane = new SlowDataplane();
  dataplane.limit = Infinity;
  const onWritten = jest.fn();
  const sync = new RouteSync({ dataplane, events: { report: () => undefined }, nowMs: () => dataplane.nowMs, onWritten });
  return { dataplane, sync, onWritten, turn: () => jest.advanceTimersToNextTimer() };
}
afterEach(() => jest.useRealTimers());

test('a few changes are written before the call returns, in one go', () => {
  const { dataplane, sync } = world();
  sync.apply(routes(100), 0);
  expect([dataplane.calls, dataplane.routes.size, sync.waiting]).toEqual([[100], 100, 0]);
});

test('many changes are written in pieces, with other things in between', () => {
  const { dataplane, sync, onWritten, turn } = world();
  sync.apply(routes(1000), 0);
  expect([dataplane.calls, sync.waiting]).toEqual([[], 1000]);
  turn();
  expect(dataplane.calls).toEqual([128]);
  expect(onWritten).toHaveBeenCalledTimes(1);
  turn();
  expect(dataplane.calls).toEqual([128, 128]);
  jest.runAllTimers();
  expect([dataplane.routes.size, sync.waiting]).toEqual([1000, 0]);
  expect(jest.getTimerCount()).toBe(0);
});

test('what waits is shown as not written, and not as a problem', () => {
  const { sync, turn } = world();
  sync.apply(routes(1000), 0);
  turn();
  expect(sync.problemOf({ source: 900, group: 1 })).toContain('not written yet');
  expect([sync.problemCount, sync.refused]).toEqual([0, 0n]);
  jest.runAllTimers();
  expect(sync.problemOf({ source: 900, group: 1 })).toBe('');
});

test('a join meanwhile does not wait for the others', () => {
  const { dataplane, sync, turn } = world();
  sync.apply(routes(1000), 0);
  turn();
  sync.apply([set(7, 2)], 0);
  expect(dataplane.routes.has(routeName(7, 2))).toBe(true);
  expect(sync.waiting).toBe(1000 - 128);
});

test('a change of a group of which something waits is written with it, and with nothing else', () => {
  const { dataplane, sync, turn } = world();
  sync.apply([...routes(1000), set(5, 2, []), set(0, 3)], 0);
  turn();
  dataplane.calls.length = 0;
  sync.apply([set(0, 2)], 0);
  expect(dataplane.calls).toEqual([2]);
  expect([...dataplane.routes.keys()].slice(-2)).toEqual([routeName(5, 2), routeName(0, 2)]);
  expect(dataplane.routes.has(routeName(0, 3))).toBe(false);
});

test('a later change wins over one that waits, also one that waits in a large group', () => {
  const { dataplane, sync } = world();
  sync.apply(routes(1000), 0);
  sync.apply([set(900, 1, [3, 4]), remove(901)], 0);
  expect(dataplane.calls).toEqual([]);
  jest.runAllTimers();
  expect(dataplane.routes.get(routeName(900, 1))?.outgoing).toEqual([3, 4]);
  expect([dataplane.routes.size, dataplane.routes.has(routeName(901, 1))]).toEqual([999, false]);
});

test('before a long list is taken in, what comes lines up behind it', () => {
  const { dataplane, sync } = world();
  sync.apply(routes(1000), 0);
  sync.apply([remove(1000), set(1, 2)], 0);
  expect([dataplane.calls, sync.waiting]).toEqual([[], 1002]);
  jest.runAllTimers();
  expect([dataplane.routes.size, dataplane.routes.has(routeName(1000, 1)), dataplane.routes.has(routeName(1, 2))]).toEqual([1000, false, true]);
});

test('many removals go in pieces too', () => {
  const { dataplane, sync, turn } = world();
  sync.apply(routes(1000), 0);
  jest.runAllTimers();
  sync.apply(Array.from({ length: 1000 }, (_, i) => remove(i + 1)), 0);
  turn();
  expect(dataplane.routes.size).toBe(1000 - 256);
  jest.runAllTimers();
  expect(dataplane.routes.size).toBe(0);
});

test('a refused route is tried again as it was wanted last', () => {
  const { dataplane, sync } = world();
  dataplane.limit = 0;
  sync.apply([set(1)], 0);
  sync.apply([set(1, 1, [2, 3])], 0);
  expect([sync.problemCount, sync.refused, sync.problemOf({ source: 1, group: 1 })]).toEqual([1, 1n, 'full']);
  dataplane.limit = 1;
  sync.retry(0);
  expect(dataplane.routes.get(routeName(1, 1))?.outgoing).toEqual([2, 3]);
  expect(sync.problemCount).toBe(0);
});

test('a refused route that is not wanted any more is not tried again', () => {
  const { dataplane, sync } = world();
  dataplane.limit = 0;
  sync.apply([set(1)], 0);
  sync.apply([remove(1)], 0);
  dataplane.limit = 1;
  sync.retry(0);
  expect(dataplane.routes.size).toBe(0);
});

test('of very many refused routes each has its turn', () => {
  const { dataplane, sync } = world();
  dataplane.limit = 0;
  sync.apply(routes(2000), 0);
  jest.runAllTimers();
  expect(sync.problemCount).toBe(2000);
  const tried = jest.spyOn(dataplane, 'applyRoutes');
  sync.retry(0);
  jest.runAllTimers();
  sync.retry(0);
  jest.runAllTimers();
  const sources = new Set(tried.mock.calls.flatMap(([changes]) => changes.map((change) => (change.kind === 'set' ? change.route.source : 0))));
  expect(sources.size).toBe(2000);
});

test('after close nothing is written', () => {
  const { dataplane, sync } = world();
  sync.apply(routes(1000), 0);
  sync.close();
  sync.close();
  sync.apply([set(1, 5)], 0);
  jest.runAllTimers();
  expect(dataplane.calls).toEqual([]);
});

describe('a data plane that answers later', () => {
  class LateDataplane extends SlowDataplane {
    override applyRoutes(changes: readonly RouteChange[]): never {
      super.applyRoutes(changes);
      return undefined as never;
    }
  }

  function late() {
    const dataplane = new LateDataplane();
    dataplane.limit = Infinity;
    const sync = new RouteSync({ dataplane, events: { report: () => undefined }, nowMs: () => dataplane.nowMs, onWritten: () => undefined });
    return { dataplane, sync };
  }
  const problem = (source: number): RouteProblem => ({ source, group: 1, problem: 'full' });

  test('what it refuses is known when it says so, is counted once, and is tried again', () => {
    const { dataplane, sync } = late();
    sync.apply([set(1), set(2)], 0);
    expect([sync.problemCount, sync.refused]).toEqual([0, 0n]);
    for (let i = 0; i < 3; i++) {
      sync.applied([set(1), set(2)], [problem(2)]);
      sync.retry(0);
    }
    expect([sync.problemOf({ source: 1, group: 1 }), sync.problemOf({ source: 2, group: 1 }), sync.refused]).toEqual(['', 'full', 1n]);
    expect(dataplane.calls).toEqual([2, 1, 1, 1]);
    sync.applied([set(2)], []);
    expect(sync.problemCount).toBe(0);
  });

  test('while it takes none, changes wait and the later one of a route is the one that is written', () => {
    jest.useFakeTimers();
    const { dataplane, sync } = late();
    dataplane.isBusy = true;
    sync.apply([set(1), set(2, 1, [3])], 0);
    sync.apply([set(2, 1, [4])], 0);
    sync.apply(routes(1000), 0);
    jest.runAllTimers();
    expect([dataplane.calls, sync.waiting, jest.getTimerCount()]).toEqual([[], 1000, 0]);
    expect(sync.problemOf({ source: 2, group: 1 })).toContain('not written yet');
    sync.apply([set(2, 1, [7])], 0);
    dataplane.isBusy = false;
    sync.ready();
    jest.runAllTimers();
    expect([dataplane.routes.size, dataplane.routes.get(routeName(2, 1))?.outgoing, sync.waiting]).toEqual([1000, [7], 0]);
  });
});
