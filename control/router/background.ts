/**
 * Work that is too much for one turn of the event loop: done step by step for about a millisecond, then others have their turn.
 */

const TURN_MS = 1;

export interface BackgroundOptions {
  readonly nowMs: () => number;
  /** Does a little; false when there was nothing to do. */
  readonly step: () => boolean;
  /** What the steps lead to has enough to do: nothing is done for now. */
  readonly isHeldUp: () => boolean;
  /** After the steps of a later turn. */
  readonly onTurn: () => void;
}

export class Background {
  readonly #options: BackgroundOptions;
  #turn: NodeJS.Immediate | undefined;
  #waiting: (() => void)[] = [];
  /** A step may find more to do. */
  #isRunning = false;
  #closed = false;

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  /** There may be something to do: begins in this turn, so that a little is done when this returns. */
  run(): void {
    if (this.#closed || this.#isRunning || this.#turn !== undefined) return;
    if (this.#work()) this.#turn = setImmediate(() => this.#takeTurn());
    else this.#tellIdle();
  }

  /** Resolves when there is nothing to do. */
  async idle(): Promise<void> {
    if (this.#turn !== undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#closed = true;
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    this.#turn = undefined;
    this.#tellIdle();
  }

  #work(): boolean {
    const { nowMs, step, isHeldUp } = this.#options;
    if (isHeldUp()) return true;
    const untilMs = nowMs() + TURN_MS;
    this.#isRunning = true;
    try {
      let isMore = step();
      while (isMore && nowMs() < untilMs) isMore = step();
      return isMore;
    } finally {
      this.#isRunning = false;
    }
  }

  #takeTurn(): void {
    this.#turn = undefined;
    this.run();
    this.#options.onTurn();
  }

  #tellIdle(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
