/** What (*,G) forwarded of a source moves to its (S,G): once, whole, whichever of the two goes first. */
import fc from 'fast-check';
import { Handover } from '../../../control/dataplane/handover';
import { FakeMap, abi, entry, packets, recentOf } from './fakes';

const G = 0xef010101;
const S = 0x0a640001;
const STAR = entry(0, 0);

function world() {
  const recent = new FakeMap();
  const handover = new Handover(abi, recent.map, new BigUint64Array(1 << 16));
  const shown = (route: ReturnType<typeof entry>, counted: number): number => Number(handover.corrected(route, packets(counted)).packets);
  const passed = (count: number, source = S): void => recent.update(abi.newSourceKey(source, G, 1), recentOf(count));
  return { recent, handover, shown, passed };
}

test('what (*,G) counted of a source shows with its (S,G), in every figure', () => {
  const { handover, passed } = world();
  handover.installed(STAR);
  passed(10);
  const route = entry(1, S, { installedAtMs: 0 });
  handover.installed(route);
  handover.settle(0);
  expect(handover.corrected(route, packets(5))).toEqual(packets(15));
  expect(handover.corrected(STAR, packets(30))).toEqual(packets(20));
});

test('packets that were still on their way are moved when they have come, each once', () => {
  const { handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  const route = entry(1, S);
  handover.installed(route);
  for (const [nowMs, count] of [[0, 10], [100, 12], [100, 12], [999, 13]] as const) {
    passed(count);
    handover.settle(nowMs);
    expect([shown(STAR, count), shown(route, 0)]).toEqual([0, count]);
  }
});

test('after a second nothing can be on its way: the kernel forgets the source, the figures stay', () => {
  const { recent, handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  const route = entry(1, S, { installedAtMs: 500 });
  handover.installed(route);
  handover.settle(1499);
  expect(recent.entries.size).toBe(1);
  handover.settle(1500);
  expect(recent.entries.size).toBe(0);
  handover.settle(9000);
  expect([shown(STAR, 10), shown(route, 7)]).toEqual([0, 17]);
});

test('an (S,G) that goes unsettled and comes back takes nothing twice', () => {
  const { handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  handover.installed(entry(1, S));
  handover.settle(0);
  handover.removed(entry(1, S));
  expect(shown(STAR, 10)).toBe(0);
  passed(4);
  const again = entry(2, S);
  handover.installed(again);
  handover.settle(0);
  expect([shown(STAR, 14), shown(again, 0)]).toEqual([0, 4]);
});

test('what an (S,G) had not taken when it went stays with (*,G)', () => {
  const { recent, handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  handover.installed(entry(1, S));
  handover.removed(entry(1, S));
  expect(shown(STAR, 10)).toBe(10);
  expect(recent.entries.size).toBe(0);
});

test('(*,G) goes first: its (S,G) keeps what it took, the next (*,G) of the group gives nothing for it', () => {
  const { handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  const route = entry(1, S);
  handover.installed(route);
  handover.settle(0);
  passed(12);
  handover.removed(STAR);
  expect(shown(route, 0)).toBe(12);
  const next = entry(2, 0);
  handover.installed(next);
  passed(13);
  handover.settle(1000);
  expect([shown(next, 20), shown(route, 0)]).toEqual([20, 13]);
});

test('an (S,G) that was there before (*,G) takes nothing', () => {
  const { handover, shown, passed } = world();
  const route = entry(1, S);
  handover.installed(route);
  handover.installed(STAR);
  passed(10);
  handover.settle(0);
  expect([shown(STAR, 10), shown(route, 1)]).toEqual([10, 1]);
});

test('a counter that is used again begins with nothing moved', () => {
  const { handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  handover.installed(entry(1, S));
  handover.settle(2000);
  handover.removed(entry(1, S));
  handover.removed(STAR);
  expect([shown(entry(1, S + 1), 3), shown(entry(0, 0), 4)]).toEqual([3, 4]);
});

test('an entry that made room for others and was made anew is moved as new', () => {
  const { handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  const route = entry(1, S);
  handover.installed(route);
  handover.settle(0);
  passed(3);
  handover.settle(10);
  expect([shown(STAR, 13), shown(route, 0)]).toEqual([0, 13]);
});

test('(*,G) is never shown below zero, though its own count was read a moment earlier', () => {
  const { handover, shown, passed } = world();
  handover.installed(STAR);
  passed(10);
  handover.installed(entry(1, S));
  handover.settle(0);
  expect(shown(STAR, 9)).toBe(0);
});

test('many new routes are settled in turns, oldest first', () => {
  const { handover, shown, passed, recent } = world();
  handover.installed(STAR);
  const routes = Array.from({ length: 3000 }, (_, i) => entry(i + 1, S + i));
  for (const route of routes) {
    passed(1, route.route.source);
    handover.installed(route);
  }
  handover.settle(5000);
  expect(recent.entries.size).toBe(3000 - 1024);
  handover.settle(5000);
  handover.settle(5000);
  expect(recent.entries.size).toBe(0);
  expect(routes.every((route) => shown(route, 0) === 1)).toBe(true);
  expect(shown(STAR, 3000)).toBe(0);
});

test('any history: every packet shows once', () => {
  const step = fc.record({ source: fc.integer({ min: 1, max: 3 }), what: fc.constantFrom('packets', 'install', 'remove', 'read'), count: fc.nat(5), late: fc.nat(2), waitMs: fc.nat(700) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { recent, handover, shown } = world();
      handover.installed(STAR);
      const routes = new Map<number, ReturnType<typeof entry>>();
      const counted = new Map<number, number>();
      let [total, star, gone, nowMs, nextCounter] = [0, 0, 0, 0, 1];
      const byStar = (source: number, count: number): void => {
        const key = abi.newSourceKey(source, G, 1);
        const before = recent.lookup(key);
        recent.update(key, recentOf((before === undefined ? 0 : Number(abi.readRecent(before).packets)) + count));
        star += count;
        total += count;
      };
      for (const { source, what, count, late, waitMs } of steps) {
        nowMs += waitMs;
        const route = routes.get(source);
        if (what === 'packets' && route === undefined) byStar(source, count);
        if (what === 'packets' && route !== undefined) {
          counted.set(source, (counted.get(source) ?? 0) + count);
          total += count;
        }
        if (what === 'install' && route === undefined) {
          const made = entry(nextCounter++, source, { installedAtMs: nowMs });
          routes.set(source, made);
          handover.installed(made);
          byStar(source, late);
        }
        if (what === 'remove' && route !== undefined) {
          gone += shown(route, counted.get(source) ?? 0);
          handover.removed(route);
          routes.delete(source);
          counted.delete(source);
        }
        if (what === 'read') handover.settle(nowMs);
        const flows = [...routes].map(([from, of]) => shown(of, counted.get(from) ?? 0));
        expect(shown(STAR, star) + flows.reduce((sum, flow) => sum + flow, 0) + gone).toBe(total);
      }
    }),
  );
});
