/**
 * A clock that stands still until told otherwise.
 */
import type { Clock } from '../../../control/kernel/clock';

export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #wallOffsetMs: number;

  constructor(nowMs = 0, wallOffsetMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
    this.#wallOffsetMs = wallOffsetMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  nowWallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
