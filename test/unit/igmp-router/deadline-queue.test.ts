import fc from 'fast-check';
import { DeadlineQueue, type Scheduled } from '../../../control/protocol/igmp/deadline-queue';

function items(count: number): Scheduled[] {
  return Array.from({ length: count }, () => ({ deadlineMs: undefined, queueIndex: -1 }));
}

test('whatever is scheduled, moved and removed, the first is always the earliest of those queued', () => {
  const steps = fc.array(fc.tuple(fc.nat(15), fc.option(fc.nat(50), { nil: undefined })), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (moves) => {
      const queue = new DeadlineQueue<Scheduled>();
      const all = items(16);
      const expected = new Map<Scheduled, number>();
      for (const [index, deadline] of moves) {
        const item = all[index]!;
        queue.schedule(item, deadline);
        if (deadline === undefined) expected.delete(item);
        else expected.set(item, deadline);
        const earliest = expected.size === 0 ? undefined : Math.min(...expected.values());
        expect(queue.first()?.deadlineMs).toBe(earliest);
      }
    }),
  );
});

test('drains in order', () => {
  const queue = new DeadlineQueue<Scheduled>();
  const all = items(100);
  all.forEach((item, index) => queue.schedule(item, (index * 37) % 100));
  const drained: number[] = [];
  for (let first = queue.first(); first?.deadlineMs !== undefined; first = queue.first()) {
    drained.push(first.deadlineMs);
    queue.schedule(first, undefined);
  }
  expect(drained).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

test('what was cleared can be queued again', () => {
  const queue = new DeadlineQueue<Scheduled>();
  const [item] = items(1);
  queue.schedule(item!, 5);
  queue.clear();
  expect(queue.first()).toBeUndefined();
  queue.schedule(item!, 5);
  expect(queue.first()).toBe(item);
});
