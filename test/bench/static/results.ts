/** The figures of one run, and what is aimed at. */
import type { Environment } from '../peers/command-line';
import type { Target } from '../targets';

/** Of several runs: the median of each figure, but of the stalls. */
export interface Row {
  readonly what: string;
  readonly entries: number;
  /** Of the request; 0: there was none. */
  readonly bytes: number;
  readonly wallMs: number;
  /** The longest time in which nothing else ran, in the run where it was shortest: what else the machine does only adds to it. */
  readonly stallMs: number;
  /** In the run where it was longest. */
  readonly worstStallMs: number;
  readonly waitP99Ms: number;
  /** Of the daemon. */
  readonly cpuMs: number;
}

export interface SinglesRow {
  readonly calls: number;
  readonly atOnce: number;
  readonly perSecond: number;
  readonly stallMs: number;
}

export interface MemoryRow {
  readonly kind: string;
  readonly entries: number;
  readonly bytesPerEntry: number;
}

export interface Results {
  readonly environment: Environment;
  readonly rows: readonly Row[];
  readonly singles: readonly SinglesRow[];
  readonly memory: readonly MemoryRow[];
  readonly targets: readonly Target[];
}

/** What the same step took in each run. */
export function merged(runs: readonly Row[]): Row {
  const [first] = runs;
  if (first === undefined) throw new Error('no run');
  const median = (figure: (row: Row) => number): number => [...runs.map(figure)].sort((a, b) => a - b)[runs.length >> 1] ?? NaN;
  return {
    ...first,
    wallMs: median((row) => row.wallMs),
    stallMs: Math.min(...runs.map((row) => row.stallMs)),
    worstStallMs: Math.max(...runs.map((row) => row.worstStallMs)),
    waitP99Ms: median((row) => row.waitP99Ms),
    cpuMs: median((row) => row.cpuMs),
  };
}

const LONGEST_MS = 2000;
const LONGEST_STALL_MS = 20;

export function heldAgainstTargets(rows: readonly Row[]): readonly Target[] {
  const times = rows
    .filter(({ bytes }) => bytes > 0)
    .map(({ what, wallMs }): Target => ({ what, limit: `< ${LONGEST_MS} ms`, measured: `${wallMs.toFixed(0)} ms`, met: wallMs < LONGEST_MS }));
  const longest = Math.max(...rows.map(({ stallMs }) => stallMs));
  return [
    ...times,
    { what: 'the event loop stands still', limit: `<= ${LONGEST_STALL_MS} ms`, measured: `${longest.toFixed(1)} ms at most`, met: longest <= LONGEST_STALL_MS },
  ];
}
