/**
 * One OS timer for a machine with deadlines: wakes it at the earliest one, never before. Never looks at what the deadline is for.
 */
import type { Clock } from './clock';

export interface DeadlineSource {
  /** ms of the same clock; undefined when nothing is due. */
  nextDeadline(): number | undefined;
  onDeadline(nowMs: number): void;
}

/** What setTimeout takes; anything longer would fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export class DeadlineDriver {
  readonly #clock: Clock;
  readonly #source: DeadlineSource;
  #timer: NodeJS.Timeout | undefined;
  /** Deadline the timer stands for; meaningless without a timer. */
  #armedFor = 0;
  #closed = false;

  constructor(clock: Clock, source: DeadlineSource) {
    this.#clock = clock;
    this.#source = source;
  }

  /** Call after anything that may have changed nextDeadline(). Cheap when it has not. */
  rearm(): void {
    if (this.#closed) return;
    const deadline = this.#source.nextDeadline();
    if (deadline === undefined) {
      this.#disarm();
      return;
    }
    if (this.#timer !== undefined && deadline === this.#armedFor) return;
    this.#disarm();
    const delay = Math.min(Math.max(deadline - this.#clock.nowMs(), 0), LONGEST_TIMEOUT_MS);
    this.#armedFor = deadline;
    this.#timer = setTimeout(() => this.#fire(), delay);
  }

  /** No onDeadline() after this. */
  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    // The loop's clock is coarser than ours and long waits come in pieces: it may be too early still.
    try {
      if (nowMs >= this.#armedFor) this.#source.onDeadline(nowMs);
    } finally {
      this.rearm();
    }
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
