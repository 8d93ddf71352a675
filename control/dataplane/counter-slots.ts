/**
 * Which entry of the counter array belongs to which route. A freed entry rests while packets may still add to it, is zeroed by its
 * owner and then reused; low numbers first, so that only a short piece of the array has to be read.
 */
import { GROUP_REST_MS } from './group-pool';

export class CounterSlots {
  readonly #zero: (slot: number) => void;
  readonly #limit: number;
  readonly #free: number[] = [];
  #resting: { readonly slot: number; readonly untilMs: number }[] = [];
  #next = 0;

  constructor(limit: number, zero: (slot: number) => void) {
    this.#limit = limit;
    this.#zero = zero;
  }

  /** Entries 0 … span-1 have ever been used. */
  get span(): number {
    return this.#next;
  }

  take(nowMs: number): number | undefined {
    this.tick(nowMs);
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

  tick(nowMs: number): number | undefined {
    const due = this.#resting.filter(({ untilMs }) => untilMs <= nowMs);
    if (due.length > 0) {
      this.#resting = this.#resting.filter(({ untilMs }) => untilMs > nowMs);
      for (const { slot } of due) {
        this.#zero(slot);
        this.#free.push(slot);
      }
    }
    return this.#resting[0]?.untilMs;
  }
}
