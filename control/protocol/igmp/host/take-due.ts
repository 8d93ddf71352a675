/** Draining a queue up to now. */
import type { DeadlineQueue, Scheduled } from '../deadline-queue';

/** What is due, earliest first, each taken out of the queue before it is handed out: the caller may queue it again, for later. */
export function* takeDue<Item extends Scheduled>(queue: DeadlineQueue<Item>, nowMs: number): Generator<Item> {
  for (let first = queue.first(); first?.deadlineMs !== undefined && first.deadlineMs <= nowMs; first = queue.first()) {
    queue.schedule(first, undefined);
    yield first;
  }
}
