/** What an event loop had to endure: for how long nothing else could run. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Spread } from './protocol';

const NS_PER_MS = 1e6;
/** Between two beats when nothing is in their way. Watching by turning the loop all the time would take a CPU from the work itself. */
const BEAT_MS = 1;

export interface Endured<T> {
  readonly result: T;
  readonly wallMs: number;
  /** The longest time in which nothing else ran. */
  readonly stallMs: number;
  /** One of a hundred waits was longer. */
  readonly waitP99Ms: number;
}

export async function endure<T>(work: () => Promise<T>): Promise<Endured<T>> {
  const beats = monitorEventLoopDelay({ resolution: BEAT_MS });
  beats.enable();
  try {
    await pause(2 * BEAT_MS);
    beats.reset();
    const started = performance.now();
    const result = await work();
    const wallMs = performance.now() - started;
    // The beat that comes after the work tells of its last piece.
    await pause(2 * BEAT_MS);
    return { result, wallMs, stallMs: beyondBeat(beats.max), waitP99Ms: beyondBeat(beats.percentile(99)) };
  } finally {
    beats.disable();
  }
}

function beyondBeat(ns: number): number {
  return Math.max(0, ns / NS_PER_MS - BEAT_MS);
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return { median: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? NaN };
}
