import { CounterSlots } from '../../../control/dataplane/counter-slots';
import { GROUP_REST_MS } from '../../../control/dataplane/group-pool';

function slots(limit: number) {
  const zeroed: number[][] = [];
  return { zeroed, slots: new CounterSlots(limit, (batch) => zeroed.push([...batch])) };
}

test('fresh entries come in order, up to the limit', () => {
  const { slots: counters } = slots(2);
  expect([counters.take(0), counters.take(0), counters.take(0)]).toEqual([0, 1, undefined]);
  expect(counters.span).toBe(2);
});

test('a freed entry rests, is zeroed, and only then used again', () => {
  const { slots: counters, zeroed } = slots(1);
  counters.take(0);
  counters.release(0, 0);
  expect(counters.take(GROUP_REST_MS - 1)).toBeUndefined();
  expect(zeroed).toEqual([]);
  expect(counters.take(GROUP_REST_MS)).toBe(0);
  expect(zeroed).toEqual([[0]]);
});

test('entries that were used before come before fresh ones: what has to be read stays short', () => {
  const { slots: counters } = slots(10);
  counters.take(0);
  counters.take(0);
  counters.release(0, 0);
  expect(counters.take(GROUP_REST_MS)).toBe(0);
  expect(counters.take(GROUP_REST_MS)).toBe(2);
});

test('an entry no packet has seen needs no rest and no zeroing', () => {
  const { slots: counters, zeroed } = slots(1);
  counters.take(0);
  counters.giveBack(0);
  expect(counters.take(0)).toBe(0);
  expect(zeroed).toEqual([]);
});

test('a thousand entries freed at once are zeroed in pieces, and the next piece is due at once', () => {
  const { slots: counters, zeroed } = slots(1000);
  for (let i = 0; i < 1000; i++) counters.release(counters.take(0) ?? -1, 0);
  const ticks: (number | undefined)[] = [];
  do ticks.push(counters.tick(GROUP_REST_MS));
  while (ticks.at(-1) !== undefined);
  expect(ticks).toEqual([GROUP_REST_MS, GROUP_REST_MS, GROUP_REST_MS, undefined]);
  expect(zeroed.map(({ length }) => length)).toEqual([256, 256, 256, 232]);
  expect(new Set(zeroed.flat()).size).toBe(1000);
});

test('tells when the next rest ends', () => {
  const { slots: counters } = slots(2);
  counters.take(0);
  counters.take(0);
  counters.release(0, 10);
  counters.release(1, 20);
  expect(counters.tick(0)).toBe(10 + GROUP_REST_MS);
  expect(counters.tick(10 + GROUP_REST_MS)).toBe(20 + GROUP_REST_MS);
  expect(counters.tick(20 + GROUP_REST_MS)).toBeUndefined();
});

test('reserved entries are for those who ask for them; the others go to whoever comes', () => {
  const { slots: counters } = slots(5);
  counters.reserve([3, 1, 7]);
  expect(counters.span).toBe(4);
  expect([counters.take(0, 3), counters.take(0, 3), counters.take(0), counters.take(0, 9)]).toEqual([3, 0, 2, 4]);
  expect(counters.take(0)).toBeUndefined();
  counters.endReservation();
  expect([counters.take(0), counters.take(0)]).toEqual([1, undefined]);
});
