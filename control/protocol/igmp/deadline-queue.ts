/**
 * Which item is due first: a binary heap whose items know their place in it, so that moving or removing one costs O(log n) and
 * nothing stale stays behind. Owns the two fields of `Scheduled`; never looks at a clock.
 */

/** Extended by what is queued. Only the queue writes these fields. */
export interface Scheduled {
  /** undefined: not queued. */
  deadlineMs: number | undefined;
  /** Place in the heap, -1 when not queued. */
  queueIndex: number;
}

export class DeadlineQueue<Item extends Scheduled> {
  readonly #heap: Item[] = [];

  /** Queues, moves or (with undefined) removes the item. */
  schedule(item: Item, deadlineMs: number | undefined): void {
    if (deadlineMs === undefined) return this.#remove(item);
    if (item.deadlineMs === deadlineMs) return;
    item.deadlineMs = deadlineMs;
    if (item.queueIndex < 0) this.#heap.push(item);
    this.#settle(item, item.queueIndex < 0 ? this.#heap.length - 1 : item.queueIndex);
  }

  /** Queues the item, or moves it forward: what is due earlier already stays where it is. */
  expedite(item: Item, deadlineMs: number): void {
    if (item.deadlineMs === undefined || deadlineMs < item.deadlineMs) this.schedule(item, deadlineMs);
  }

  /** The item due first; it stays queued. */
  first(): Item | undefined {
    return this.#heap[0];
  }

  clear(): void {
    for (const item of this.#heap) detach(item);
    this.#heap.length = 0;
  }

  #remove(item: Item): void {
    const index = item.queueIndex;
    if (index < 0) return;
    detach(item);
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#settle(last, index);
  }

  /** Puts the item where it belongs, starting from a place that is free for it: others move into the gap, it moves once. */
  #settle(item: Item, from: number): void {
    const heap = this.#heap;
    const dueMs = dueOf(item);
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >>> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || dueOf(parent) <= dueMs) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    if (index === from) index = this.#gapBelow(from, dueMs);
    this.#place(item, index);
  }

  /** Where the gap at `from` comes to rest when everything earlier than `dueMs` below it moves up. */
  #gapBelow(from: number, dueMs: number): number {
    const heap = this.#heap;
    let index = from;
    for (;;) {
      const left = heap[2 * index + 1];
      if (left === undefined) return index;
      const right = heap[2 * index + 2];
      const child = right !== undefined && dueOf(right) < dueOf(left) ? right : left;
      if (dueOf(child) >= dueMs) return index;
      const childIndex = child.queueIndex;
      this.#place(child, index);
      index = childIndex;
    }
  }

  #place(item: Item, index: number): void {
    this.#heap[index] = item;
    item.queueIndex = index;
  }
}

function detach(item: Scheduled): void {
  item.deadlineMs = undefined;
  item.queueIndex = -1;
}

/** Of a queued item, which always has one. */
function dueOf(item: Scheduled): number {
  return item.deadlineMs as number;
}
