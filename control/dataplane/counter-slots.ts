/**
 * Which entry of the counter array belongs to which route. A freed entry rests while packets may still add to it, is zeroed by its
 * owner and then reused; fresh ones are taken last, so that only a short piece of the array has to be read.
 */
import { GROUP_REST_MS } from './group-pool';

/** In one tick: emptying a full table must not hold up what comes next. */
const ZEROED_AT_ONCE = 256;

export class CounterSlots {
  readonly #zero: (slots: readonly number[]) => void;
  readonly #limit: number;
  readonly #free: number[] = [];
  /** In the order in which their rests end. */
  readonly #resting: { readonly slot: number; readonly untilMs: number }[] = [];
  readonly #reserved = new Set<number>();
  #next = 0;

  /** `zero` is handed at most ZEROED_AT_ONCE slots. */
  constructor(limit: number, zero: (slots: readonly number[]) => void) {
    this.#limit = limit;
    this.#zero = zero;
  }

  /** Entries 0 … span-1 have ever been used. */
  get span(): number {
    return this.#next;
  }

  /** These are in use already; what is between them may have been, and is zeroed before it is handed out. */
  adopt(used: ReadonlySet<number>, nowMs: number): void {
    this.#next = greatest(used) + 1;
    for (let slot = 0; slot < this.#next; slot++) if (!used.has(slot)) this.#resting.push({ slot, untilMs: nowMs });
  }

  /** Before anything is taken: kept, as far as there is room, for those who ask for them, until endReservation(). */
  reserve(wanted: Iterable<number>): void {
    for (const slot of wanted) if (slot < this.#limit) this.#reserved.add(slot);
    this.#next = greatest(this.#reserved) + 1;
    for (let slot = this.#next - 1; slot >= 0; slot--) if (!this.#reserved.has(slot)) this.#free.push(slot);
  }

  endReservation(): void {
    this.#free.push(...this.#reserved);
    this.#reserved.clear();
  }

  /** `wanted`: this one, where it is reserved. */
  take(nowMs: number, wanted?: number): number | undefined {
    if (wanted !== undefined && this.#reserved.delete(wanted)) return wanted;
    if (this.#free.length === 0) this.tick(nowMs);
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    return this.#next < this.#limit ? this.#next++ : undefined;
  }

  release(slot: number, nowMs: number): void {
    this.#resting.push({ slot, untilMs: nowMs + GROUP_REST_MS });
  }

  /** A slot that no packet has ever seen. */
  giveBack(slot: number): void {
    this.#free.push(slot);
  }

  /** Zeroes slots whose rest is over. Returns when there is more to do, which may be now. */
  tick(nowMs: number): number | undefined {
    let due = 0;
    while (due < ZEROED_AT_ONCE && (this.#resting[due]?.untilMs ?? Infinity) <= nowMs) due++;
    if (due > 0) {
      this.#zero(this.#resting.slice(0, due).map(({ slot }) => slot));
      for (const { slot } of this.#resting.splice(0, due)) this.#free.push(slot);
    }
    return this.#resting[0]?.untilMs;
  }
}

function greatest(numbers: Iterable<number>): number {
  let found = -1;
  for (const number of numbers) if (number > found) found = number;
  return found;
}
