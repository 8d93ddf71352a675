/**
 * How often something may happen: `ratePerSecond` on average, twice as often at once. Time is handed in.
 */
export class TokenBucket {
  #ratePerSecond: number;
  #tokens: number;
  #atMs: number;

  constructor(ratePerSecond: number, nowMs: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#tokens = 2 * ratePerSecond;
    this.#atMs = nowMs;
  }

  /** What is saved up stays, as far as it fits. */
  setRate(ratePerSecond: number): void {
    this.#ratePerSecond = ratePerSecond;
    this.#tokens = Math.min(this.#tokens, 2 * ratePerSecond);
  }

  /** false: not now. */
  take(nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#atMs) / 1000) * this.#ratePerSecond;
    this.#tokens = Math.min(2 * this.#ratePerSecond, this.#tokens + earned);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
