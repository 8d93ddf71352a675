/**
 * The first few keys of many, in order, whatever order they come in: a heap of bounded size with the largest of them on top, so that most
 * keys cost one comparison.
 */
export class SmallestKeys<Key> {
  readonly #limit: number;
  readonly #compare: (one: Key, other: Key) => number;
  readonly #heap: Key[] = [];

  /** `limit`: 1 at least. */
  constructor(limit: number, compare: (one: Key, other: Key) => number) {
    this.#limit = limit;
    this.#compare = compare;
  }

  get isFull(): boolean {
    return this.#heap.length === this.#limit;
  }

  add(key: Key): void {
    const largest = this.#heap[0];
    if (!this.isFull || largest === undefined) this.#rise(key, this.#heap.length);
    else if (this.#compare(key, largest) < 0) this.#sink(key);
  }

  /** Ascending. A key that was added twice is there twice. */
  sorted(): Key[] {
    return this.#heap.slice().sort(this.#compare);
  }

  #rise(key: Key, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = this.#heap[above];
      if (parent === undefined || this.#compare(key, parent) <= 0) break;
      this.#heap[at] = parent;
      at = above;
    }
    this.#heap[at] = key;
  }

  /** In the place of the largest. */
  #sink(key: Key): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let childKey = this.#heap[child];
      if (childKey === undefined) break;
      const rightKey = this.#heap[child + 1];
      if (rightKey !== undefined && this.#compare(rightKey, childKey) > 0) {
        child += 1;
        childKey = rightKey;
      }
      if (this.#compare(key, childKey) >= 0) break;
      this.#heap[at] = childKey;
      at = child;
    }
    this.#heap[at] = key;
  }
}
