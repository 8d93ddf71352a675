/** Random delays in whole ms, never 0: what is due "at random" must not be due within the instant that scheduled it. */

/** In (0, limitMs], the range of answers to queries (RFC 3376 §5.2, RFC 2236 §3). A limit of 0 means the shortest there is. */
export function delayUpTo(limitMs: number, random: () => number): number {
  return 1 + Math.floor(random() * Math.max(1, limitMs));
}

/** In (0, limitMs), the range between two State-Change Reports (RFC 3376 §5.1). */
export function delayBelow(limitMs: number, random: () => number): number {
  return delayUpTo(limitMs - 1, random);
}
