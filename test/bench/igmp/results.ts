/** The figures of one run, and what is aimed at. */
import type { Environment } from '../peers/command-line';
import type { RouterName } from '../peers/routers';
import type { Target } from '../targets';

export interface Cell {
  readonly router: RouterName;
  readonly version: 2 | 3;
  /** New memberships, or reports of what is known. */
  readonly change: 'join' | 'refresh';
  /** Groups reported, so many in a message, so many a second. */
  readonly offered: number;
  readonly recordsPerReport: number;
  readonly offeredPerSecond: number;
  /** Groups the router knew in the end, and routes in its data plane where it makes them at once. */
  readonly known: number;
  readonly routes: number | null;
  /** Messages that its program never got. */
  readonly lostMessages: number;
  readonly cpuMs: number;
  /** From the first report to the end of the work. */
  readonly wallMs: number;
  readonly residentBytes: number;
  /** Since before the first report. */
  readonly grownBytes: number;
}

export interface Results {
  readonly environment: Environment;
  readonly cells: readonly Cell[];
  readonly targets: readonly Target[];
}

const JOINS_PER_SECOND = 50_000;
const REFRESHES_PER_SECOND = 200_000;
const RESIDENT_MB = 300;
const RESIDENT_MEMBERSHIPS = 100_000;

/** Groups that made it through, per second of CPU time: what one core can do. */
export function perCpuSecond(cell: Cell): number {
  return (handled(cell) * 1000) / cell.cpuMs;
}

/** A refresh that was lost leaves no other trace than the message missing; one of a group that was refused is no refresh. */
export function handled({ change, known, offered, lostMessages, recordsPerReport }: Cell): number {
  return change === 'join' ? known : Math.max(0, Math.min(known, offered - lostMessages * recordsPerReport));
}

export function heldAgainstTargets(cells: readonly Cell[]): readonly Target[] {
  const own = cells.filter(({ router }) => router === 'xmcast');
  const most = Math.max(...own.map(({ offered }) => offered));
  const largest = own.filter(({ offered }) => offered === most);
  return [
    ...largest.map((cell) => rateTarget(cell, cell.change === 'join' ? JOINS_PER_SECOND : REFRESHES_PER_SECOND)),
    ...own.filter(({ known, change }) => known >= RESIDENT_MEMBERSHIPS && change === 'join').map(memoryTarget),
  ];
}

function rateTarget(cell: Cell, limit: number): Target {
  const rate = perCpuSecond(cell);
  const what = `${cell.offered} IGMPv${cell.version} reports of ${cell.change === 'join' ? 'new' : 'known'} groups, groups per second of one core`;
  return { what, limit: `>= ${limit}`, measured: rate.toFixed(0), met: rate >= limit && handled(cell) === cell.offered };
}

function memoryTarget({ version, known, residentBytes }: Cell): Target {
  const megabytes = residentBytes / 1e6;
  return {
    what: `resident memory with ${known} IGMPv${version} memberships`,
    limit: `< ${RESIDENT_MB} MB`,
    measured: `${megabytes.toFixed(0)} MB`,
    met: megabytes < RESIDENT_MB,
  };
}
