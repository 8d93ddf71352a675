/** The figures of one run, and what is aimed at. */
import type { Environment } from '../peers/command-line';
import type { Target } from '../targets';

export interface Row {
  readonly what: string;
  readonly entries: number;
  /** Of the request; 0: there was none. */
  readonly bytes: number;
  readonly wallMs: number;
  readonly stallMs: number;
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

const LONGEST_MS = 2000;
const LONGEST_STALL_MS = 20;
/** What the times are for; smaller runs are held to their share. */
const ENTRIES = 50_000;

export function heldAgainstTargets(rows: readonly Row[], singles: readonly SinglesRow[]): readonly Target[] {
  const updates = rows.filter(({ bytes }) => bytes > 0);
  const times = updates.map(({ what, entries, wallMs }): Target => {
    const limitMs = (LONGEST_MS * Math.max(entries, 1000)) / ENTRIES;
    return { what, limit: `< ${limitMs.toFixed(0)} ms`, measured: `${wallMs.toFixed(0)} ms`, met: wallMs < limitMs };
  });
  const longest = Math.max(...[...rows, ...singles].map(({ stallMs }) => stallMs));
  return [
    ...times,
    { what: 'the event loop stands still', limit: `<= ${LONGEST_STALL_MS} ms`, measured: `${longest.toFixed(1)} ms at most`, met: longest <= LONGEST_STALL_MS },
  ];
}
