/**
 * A list that follows a Watch stream: what WatchProgress says is done to a table, by key. Knows nothing of what the entries are.
 */
import type { xmcast } from '#proto';

/** The part of every Watch response that is the same. */
export interface WatchMessage<Item> {
  readonly progress: xmcast.v1.WatchProgress.$Properties | null | undefined;
  readonly items: readonly Item[];
  /** Keys. */
  readonly removed: readonly string[];
}

export interface LiveListOptions<Item> {
  readonly keyOf: (item: Item) => string;
  /** The item some time after it came. */
  readonly aged?: (item: Item, byMs: number) => Item;
  readonly nowMs: () => number;
}

export class LiveList<Item> {
  readonly #options: LiveListOptions<Item>;
  readonly #entries = new Map<string, { readonly item: Item; readonly atMs: number }>();

  constructor(options: LiveListOptions<Item>) {
    this.#options = options;
  }

  /** True: the list is what the router has. */
  take({ progress, items, removed }: WatchMessage<Item>): boolean {
    if (progress?.reset === true) this.#entries.clear();
    const atMs = this.#options.nowMs();
    for (const item of items) this.#entries.set(this.#options.keyOf(item), { item, atMs });
    for (const key of removed) this.#entries.delete(key);
    return progress?.synced === true;
  }

  /** In the order in which they came first. */
  items(): Item[] {
    const { aged, nowMs } = this.#options;
    const now = nowMs();
    return Array.from(this.#entries.values(), ({ item, atMs }) => (aged === undefined ? item : aged(item, now - atMs)));
  }
}
