import fc from 'fast-check';
import { GROUP_REST_MS, GroupPool, sizeClasses } from '../../../control/dataplane/group-pool';
import type { Group } from '../../../control/dataplane/group-pool';

/** Devmaps as the kernel would hold them. */
function pool(classes = [{ slots: 4, count: 3 }, { slots: 16, count: 2 }], limit = 100, complete = true) {
  const maps = new Map<number, (number | undefined)[]>();
  let failing = false;
  const groups = new GroupPool(limit, classes.map(({ slots }) => slots), {
    fill(group, vports) {
      if (failing) throw new Error('ENOMEM');
      maps.set(group, [...vports]);
    },
    clear(group, slots) {
      const slotsNow = maps.get(group) ?? [];
      for (let i = 0; i < slots; i++) slotsNow[i] = undefined;
    },
  });
  let next = 0;
  for (const { slots, count } of classes) groups.add(slots, Array.from({ length: count }, () => next++));
  if (complete) groups.complete();
  return { groups, maps, fail: (on: boolean) => (failing = on) };
}

test('equal sets share one group', () => {
  const { groups } = pool();
  expect(groups.acquire([1, 2], 0)?.index).toBe(groups.acquire([1, 2], 0)?.index);
  expect(groups.used).toBe(1);
});

test('a set gets the smallest class that holds it, and a larger one when that is used up', () => {
  const { groups } = pool();
  expect(groups.acquire([1, 2, 3, 4, 5], 0)?.slots).toBe(16);
  for (const vport of [1, 2, 3]) expect(groups.acquire([vport], 0)?.slots).toBe(4);
  expect(groups.acquire([4], 0)?.slots).toBe(16);
});

test('while more maps can be made, none more than twice as large as needed is taken: a broadcast walks every slot', () => {
  const { groups } = pool([{ slots: 4, count: 1 }, { slots: 16, count: 2 }], 100, false);
  expect(groups.acquire([1, 2], 0)?.slots).toBe(4);
  expect(groups.acquire([1, 3], 0)).toBeUndefined();
  expect(groups.acquire([1, 2, 3, 4, 5, 6, 7, 8], 0)?.slots).toBe(16);
  groups.complete();
  expect(groups.acquire([1, 3], 0)?.slots).toBe(16);
});

test('slots are filled before the group is handed out', () => {
  const { groups, maps } = pool();
  const group = groups.acquire([7, 9], 0);
  expect(maps.get(group?.index ?? -1)).toEqual([7, 9]);
});

test('exhaustion refuses the new set and keeps the old ones', () => {
  const { groups } = pool([{ slots: 4, count: 1 }]);
  const held = groups.acquire([1], 0);
  expect(groups.acquire([2], 0)).toBeUndefined();
  expect(groups.acquire([1, 2, 3, 4, 5], 0)).toBeUndefined();
  expect(groups.acquire([1], 0)).toBe(held);
});

test('a group rests before it is emptied and reused: packets may still be in it', () => {
  const { groups, maps } = pool([{ slots: 4, count: 1 }]);
  const group = groups.acquire([1, 2], 0) as Group;
  groups.release(group, 0);
  expect(maps.get(group.index)).toEqual([1, 2]);
  expect(groups.acquire([3], GROUP_REST_MS - 1)).toBeUndefined();
  expect(groups.tick(GROUP_REST_MS - 1)).toBe(GROUP_REST_MS);
  expect(groups.tick(GROUP_REST_MS)).toBeUndefined();
  expect(maps.get(group.index)).toEqual([undefined, undefined]);
  expect(groups.acquire([3], GROUP_REST_MS)?.index).toBe(group.index);
});

test('a set that comes back while its group rests has it again at once, with its slots written anew', () => {
  const { groups, maps } = pool([{ slots: 4, count: 1 }]);
  const group = groups.acquire([1, 2], 0) as Group;
  groups.release(group, 0);
  maps.set(group.index, [1, undefined]);
  expect(groups.acquire([1, 2], 10)?.index).toBe(group.index);
  expect(maps.get(group.index)).toEqual([1, 2]);
  expect(groups.tick(GROUP_REST_MS * 2)).toBeUndefined();
  expect(maps.get(group.index)).toEqual([1, 2]);
});

test('the group stays as long as one of its users does', () => {
  const { groups } = pool();
  const group = groups.acquire([1], 0) as Group;
  groups.acquire([1], 0);
  groups.release(group, 0);
  expect(groups.used).toBe(1);
  groups.release(group, 0);
  expect(groups.used).toBe(0);
  expect(() => groups.release(group, 0)).toThrow('not in use');
});

test('when the kernel refuses a slot the group goes back, empty', () => {
  const { groups, fail } = pool([{ slots: 4, count: 1 }]);
  fail(true);
  expect(() => groups.acquire([1], 0)).toThrow('ENOMEM');
  fail(false);
  expect(groups.acquire([1], 0)).toBeDefined();
});

test('finds the groups whose slots a returning device must fill again', () => {
  const { groups } = pool();
  groups.acquire([1, 2], 0);
  groups.acquire([2, 3], 0);
  groups.acquire([3], 0);
  expect(groups.groupsWith(2).map(({ vports }) => vports)).toEqual([[1, 2], [2, 3]]);
});

test('the limit counts sets in use, not maps', () => {
  const { groups } = pool([{ slots: 4, count: 5 }], 2);
  const first = groups.acquire([1], 0) as Group;
  expect(groups.acquire([2], 0)).toBeDefined();
  expect(groups.acquire([3], 0)).toBeUndefined();
  expect(groups.acquire([1], 0)).toBe(first);
  groups.release(first, 0);
  groups.release(first, 0);
  expect(groups.acquire([3], 0)).toBeDefined();
});

test('a class calls for more maps before it is dry, as many again as it has', () => {
  const { groups } = pool([{ slots: 4, count: 8 }, { slots: 16, count: 8 }]);
  for (let vport = 1; vport <= 6; vport++) groups.acquire([vport], 0);
  expect(groups.shortages()).toEqual([]);
  groups.acquire([7], 0);
  expect(groups.shortages()).toEqual([{ slots: 4, count: 8 }]);
  groups.add(4, [16, 17, 18, 19, 20, 21, 22, 23]);
  expect(groups.shortages()).toEqual([]);
});

test('size classes reach the number of ports, whatever it is', () => {
  expect(sizeClasses(1)).toEqual([1]);
  expect(sizeClasses(5)).toEqual([1, 2, 3, 4, 6]);
  for (let ports = 1; ports <= 1500; ports++) {
    const classes = sizeClasses(ports);
    expect(classes.at(-1)).toBeGreaterThanOrEqual(ports);
    // No set wastes more than half as many slots again as it has.
    expect(classes.find((slots) => slots >= ports)).toBeLessThanOrEqual(ports * 1.5 + 0.5);
  }
});

test('any history: a group in use always holds exactly its set, and no index is handed out twice', () => {
  const step = fc.record({ take: fc.boolean(), set: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }), waitMs: fc.nat(1500) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { groups, maps } = pool();
      const held: Group[] = [];
      let nowMs = 0;
      for (const { take, set, waitMs } of steps) {
        nowMs += waitMs;
        const group = take ? groups.acquire([...set].sort(), nowMs) : undefined;
        if (group !== undefined) held.push(group);
        else if (!take && held.length > 0) groups.release(held.shift() as Group, nowMs);
        for (const { index, vports } of held) expect(maps.get(index)?.slice(0, vports.length)).toEqual(vports);
        const sets = new Map(held.map(({ index, vports }) => [index, vports.join()]));
        expect(new Set(sets.values()).size).toBe(sets.size);
      }
    }),
  );
});
