/** The figures of one run, and what is aimed at. */
import type { JoinMethod } from '../../lab/zapper';
import type { Environment } from '../peers/command-line';
import type { RouterName } from '../peers/routers';
import type { Target } from '../targets';

export type Method = JoinMethod | 'leave';

export interface Row {
  readonly router: RouterName;
  readonly method: Method;
  readonly trials: number;
  /** Trials that no delay came of: nothing arrived in time, or did not end in time. */
  readonly missing: number;
  /** Frames sent before the first that arrived, all trials together; meant where the stream begins after the join. */
  readonly passed: number;
  /** null: every trial is missing. */
  readonly delayMs: Spread | null;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Results {
  readonly environment: Environment;
  readonly version: 2 | 3;
  readonly streamPps: number;
  readonly rows: readonly Row[];
  readonly targets: readonly Target[];
}

const JOIN_P99_MS = 2;

export function spreadMs(delaysNs: readonly number[]): Spread | null {
  if (delaysNs.length === 0) return null;
  const sorted = [...delaysNs].sort((a, b) => a - b);
  const at = (share: number): number => (sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN) / 1e6;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function heldAgainstTargets(rows: readonly Row[]): readonly Target[] {
  return rows
    .filter(({ router, method }) => router === 'xmcast' && method !== 'leave')
    .map(({ method, delayMs, missing }) => ({
      what: `xmcast, ${METHOD_TEXT[method]}: 99 % of the joins`,
      limit: `< ${JOIN_P99_MS} ms, none missing`,
      measured: `${delayMs?.p99.toFixed(2) ?? 'nothing'} ms, ${missing} missing`,
      met: missing === 0 && delayMs !== null && delayMs.p99 < JOIN_P99_MS,
    }));
}

export const METHOD_TEXT: Readonly<Record<Method, string>> = {
  unknown: 'join, stream runs, group unknown (A)',
  known: 'join, stream runs, other port has it (B)',
  silent: 'first frame, joined before',
  leave: 'leave',
};
