/** What an event loop had to endure: for how long nothing else could run. */
import { performance } from 'node:perf_hooks';
import type { Spread } from './protocol';

export interface Endured<T> {
  readonly result: T;
  readonly wallMs: number;
  readonly stallMs: number;
  /** Of a hundred turns of the event loop one took longer. */
  readonly turnP99Ms: number;
}

/** Turns the event loop all the while: the longest turn is the stall. */
export async function endure<T>(work: () => Promise<T>): Promise<Endured<T>> {
  const turnsMs: number[] = [];
  let last = performance.now();
  const note = (): void => {
    const now = performance.now();
    turnsMs.push(now - last);
    last = now;
  };
  let turn: NodeJS.Immediate | undefined;
  const next = (): void => {
    note();
    turn = setImmediate(next);
  };
  turn = setImmediate(next);
  const started = performance.now();
  try {
    const result = await work();
    note();
    const turns = spreadOf(turnsMs);
    return { result, wallMs: performance.now() - started, stallMs: turns.max, turnP99Ms: turns.p99 };
  } finally {
    clearImmediate(turn);
  }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return { median: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? NaN };
}
