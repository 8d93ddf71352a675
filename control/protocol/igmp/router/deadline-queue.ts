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
    if (item.queueIndex < 0) {
      item.queueIndex = this.#heap.length;
      this.#heap.push(item);
    }
    this.#settle(item);
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
    this.#place(last, index);
    this.#settle(last);
  }

  #settle(item: Item): void {
    this.#siftUp(item);
    this.#siftDown(item);
  }

  #siftUp(item: Item): void {
    for (;;) {
      const index = item.queueIndex;
      const parent = this.#heap[(index - 1) >>> 1];
      if (index === 0 || parent === undefined || !isBefore(item, parent)) return;
      this.#swap(item, parent);
    }
  }

  #siftDown(item: Item): void {
    for (;;) {
      const left = this.#heap[2 * item.queueIndex + 1];
      const right = this.#heap[2 * item.queueIndex + 2];
      const child = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, item)) return;
      this.#swap(item, child);
    }
  }

  #swap(one: Item, other: Item): void {
    const index = one.queueIndex;
    this.#place(one, other.queueIndex);
    this.#place(other, index);
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

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return (one.deadlineMs ?? Infinity) < (other.deadlineMs ?? Infinity);
}
