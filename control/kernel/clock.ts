/**
 * The time of this process: a monotonic clock for every timer rule, the wall clock for what people read.
 * The pure rooms never import this: they are handed `nowMs`.
 */

export interface Clock {
  /** Integer ms of a clock that never jumps. Its zero means nothing. */
  nowMs(): number;
  /** Integer ms since 1970, for display only. */
  nowWallMs(): number;
}

const NS_PER_MS = 1_000_000n;

export const systemClock: Clock = {
  nowMs: () => Number(process.hrtime.bigint() / NS_PER_MS),
  nowWallMs: () => Date.now(),
};
