/**
 * Sources in the order in which they may have been silent for too long. Each is looked at about once in its life time, however many
 * there are. What was forgotten meanwhile is dropped when its turn comes.
 */
import type { SeenSource } from './group-state';

/** Taken ones are cut off when they are as many as the rest, and at least so many. */
const CUT_AT = 1024;

export class IdleQueue {
  #lifeMs: number;
  #entries: { readonly seen: SeenSource; readonly dueMs: number }[] = [];
  #first = 0;

  constructor(lifeMs: number) {
    this.#lifeMs = lifeMs;
  }

  setLife(lifeMs: number): void {
    this.#lifeMs = lifeMs;
  }

  add(seen: SeenSource): void {
    this.#entries.push({ seen, dueMs: seen.lastMs + this.#lifeMs });
  }

  /** Takes out all that have been silent for the life time. `isKnown`: it was not forgotten otherwise. */
  takeIdle(nowMs: number, isKnown: (seen: SeenSource) => boolean): readonly SeenSource[] {
    const idle: SeenSource[] = [];
    for (let entry = this.#entries[this.#first]; entry !== undefined && entry.dueMs <= nowMs; entry = this.#entries[this.#first]) {
      this.#first++;
      if (!isKnown(entry.seen)) continue;
      if (entry.seen.lastMs + this.#lifeMs <= nowMs) idle.push(entry.seen);
      else this.add(entry.seen);
    }
    this.#cut();
    return idle;
  }

  #cut(): void {
    if (this.#first < CUT_AT || this.#first * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}
