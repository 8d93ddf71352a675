/**
 * Which names are being asked for and which wait: so many at a time, answers in use before groups seen for the first time.
 * Sends nothing and knows no time.
 */
import type { Ipv4 } from '../protocol/packet/address';

export interface Question {
  readonly name: string;
  readonly group: Ipv4;
}

export class QuestionQueue {
  readonly #atOnce: number;
  readonly #running = new Map<string, Ipv4>();
  /** Groups whose sources are in use go first: a flood of new groups must not let them grow stale. */
  readonly #renewals = new Map<string, Ipv4>();
  readonly #newcomers = new Map<string, Ipv4>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  get running(): number {
    return this.#running.size;
  }

  get newcomers(): number {
    return this.#newcomers.size;
  }

  get waiting(): number {
    return this.#renewals.size + this.#newcomers.size;
  }

  /** A name that is being asked for already is not asked for again. */
  add({ name, group }: Question, isRenewal: boolean): void {
    if (this.#running.has(name)) return;
    (isRenewal ? this.#renewals : this.#newcomers).set(name, group);
  }

  /** No longer waits. One that is on its way ends by itself. */
  remove(name: string): void {
    this.#renewals.delete(name);
    this.#newcomers.delete(name);
  }

  /** The next to ask for, if one more may be. */
  start(): Question | undefined {
    if (this.#running.size >= this.#atOnce) return undefined;
    for (const waiting of [this.#renewals, this.#newcomers]) {
      for (const [name, group] of waiting) {
        waiting.delete(name);
        this.#running.set(name, group);
        return { name, group };
      }
    }
    return undefined;
  }

  /** The group the question was for; undefined: nobody asked. */
  finish(name: string): Ipv4 | undefined {
    const group = this.#running.get(name);
    this.#running.delete(name);
    return group;
  }
}
