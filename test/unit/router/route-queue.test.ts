/** Changes that wait: the newest of each route, in an order in which no excluded source slips through (*,G). */
import fc from 'fast-check';
import type { RouteChange } from '../../../control/mrib/route';
import { RouteQueue, keyOf, weightOf } from '../../../control/router/route-queue';

const G = 1;
const set = (source: number, group = G, outgoing: readonly number[] = [2]): RouteChange => ({ kind: 'set', route: { source, group, incoming: 1, outgoing } });
const remove = (source: number, group = G): RouteChange => ({ kind: 'remove', key: { source, group } });

function queue(...changes: readonly RouteChange[]): RouteQueue {
  const made = new RouteQueue();
  for (const change of changes) made.add(change);
  return made;
}

const short = (changes: readonly RouteChange[]): string[] =>
  changes.map((change) => `${change.kind === 'set' ? '+' : '-'}${keyOf(change).source}/${keyOf(change).group}`);

test('groups leave in the order in which they came', () => {
  expect(short(queue(set(1, 3), set(1, 1), set(1, 2)).takeSlice(100))).toEqual(['+1/3', '+1/1', '+1/2']);
});

test('a later change of a route takes the place of the one that waits', () => {
  const waiting = queue(set(1), set(2), set(1, G, [5]), remove(2));
  expect(waiting.length).toBe(2);
  expect(waiting.takeSlice(100)).toEqual([set(1, G, [5]), remove(2)]);
});

test('(*,G) comes after the sources that have routes of their own, and before their removal', () => {
  expect(short(queue(remove(8), set(0), set(1), set(2)).takeSlice(100))).toEqual(['+1/1', '+2/1', '+0/1', '-8/1']);
});

test('(*,G) goes before its sources do', () => {
  expect(short(queue(remove(1), set(2), remove(0)).takeSlice(100))).toEqual(['-0/1', '+2/1', '-1/1']);
});

test('a source that is excluded meanwhile is stopped before (*,G) is there', () => {
  const waiting = queue(set(1), set(2), set(0));
  waiting.takeSlice(weightOf(set(1)));
  waiting.add(set(3, G, []));
  expect(short(waiting.takeSlice(100))).toEqual(['+2/1', '+3/1', '+0/1']);
});

test('a slice weighs what was asked for, sets of many interfaces weigh more', () => {
  const wide = Array.from({ length: 256 }, (_, i) => i + 2);
  expect([weightOf(remove(1)), weightOf(set(1, G, [])), weightOf(set(1)), weightOf(set(1, G, wide))]).toEqual([1, 1, 2, 65]);
  const waiting = queue(set(1, 1, wide), set(2, 1, wide), set(3, 2, wide));
  expect(short(waiting.takeSlice(100))).toEqual(['+1/1', '+2/1']);
  expect(short(waiting.takeSlice(1))).toEqual(['+3/2']);
  expect(waiting.takeSlice(1)).toEqual([]);
});

test('a group of many sources keeps the same order', () => {
  const sources = Array.from({ length: 30 }, (_, i) => i + 1);
  const waiting = queue(set(0), ...sources.map((source) => (source % 2 === 0 ? remove(source) : set(source))));
  const taken = short(waiting.takeSlice(1000));
  expect(taken.map((text) => text[0] + (text.includes('+0/') ? '*' : ''))).toEqual([...Array(15).fill('+'), '+*', ...Array(15).fill('-')]);
  expect(short(queue(...sources.map((source) => remove(source)), remove(0)).takeSlice(1))).toEqual(['-0/1']);
});

test('one group can be taken out of the middle', () => {
  const waiting = queue(set(1, 1), set(1, 2), set(0, 2), set(1, 3));
  expect(waiting.weightOfGroup(2)).toBe(4);
  expect(short(waiting.takeGroup(2))).toEqual(['+1/2', '+0/2']);
  expect([waiting.weightOfGroup(2), waiting.length, waiting.has({ source: 1, group: 2 })]).toEqual([0, 2, false]);
  expect(short(waiting.takeSlice(100))).toEqual(['+1/1', '+1/3']);
});

test('a hundred thousand changes leave in slices without walking over those that have left', () => {
  const waiting = queue(...Array.from({ length: 100_000 }, (_, i) => set(i, 1 + (i % 2) * i, [])));
  let taken = 0;
  for (let slice = waiting.takeSlice(64); slice.length > 0; slice = waiting.takeSlice(64)) taken += slice.length;
  expect([taken, waiting.length]).toEqual([100_000, 0]);
});

test('nothing is left after clear, and it can be used again', () => {
  const waiting = queue(set(1, 1), set(0, 2), remove(3, 2));
  waiting.clear();
  expect([waiting.length, waiting.takeSlice(10)]).toEqual([0, []]);
  waiting.add(set(1, 2));
  expect(waiting.length).toBe(1);
});

test('any history: what was written in the end is what was wanted last', () => {
  const change = fc.record({ source: fc.nat(40), group: fc.integer({ min: 1, max: 2 }), outgoing: fc.option(fc.nat(5), { nil: undefined }), take: fc.nat(6) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 150 }), (changes) => {
      const waiting = new RouteQueue();
      const wanted = new Map<string, RouteChange>();
      const written = new Map<string, RouteChange>();
      const write = (slice: readonly RouteChange[]): void => {
        for (const one of slice) written.set(`${keyOf(one).source}/${keyOf(one).group}`, one);
      };
      for (const { source, group, outgoing, take } of changes) {
        const one = outgoing === undefined ? remove(source, group) : set(source, group, [outgoing]);
        waiting.add(one);
        wanted.set(`${source}/${group}`, one);
        if (take < 4) write(waiting.takeSlice(take));
        else if (take === 4) write(waiting.takeGroup(group));
      }
      const waits = [...wanted].filter(([name, one]) => written.get(name) !== one).length;
      expect(waiting.length).toBe(waits);
      write(waiting.takeSlice(Infinity));
      expect(written).toEqual(wanted);
    }),
  );
});
