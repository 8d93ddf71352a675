/** The figures of one run, what is aimed at, and both as text. */
import type { ArrivalsAnswer, BatchAnswer, CountersAnswer, JoinsAnswer, Spread } from './protocol';
import type { MemoryAnswer } from '../forward/protocol';
import { targetLines, type Target } from '../targets';

export interface JoinRow {
  readonly ports: number;
  readonly existing: boolean;
  readonly written: JoinsAnswer;
  readonly arrived: ArrivalsAnswer;
}

export interface BatchRow {
  readonly routes: number;
  readonly singly: boolean;
  readonly measured: BatchAnswer;
}

export interface CountersRow {
  readonly routes: number;
  readonly measured: CountersAnswer;
}

export interface Results {
  readonly environment: { readonly kernel: string; readonly node: string; readonly cpu: string; readonly cpus: number };
  readonly joins: readonly JoinRow[];
  readonly batches: readonly BatchRow[];
  readonly counters: readonly CountersRow[];
  readonly memory: MemoryAnswer;
  readonly targets: readonly Target[];
}

const COUNTERS_WALL_MS = 100;
const COUNTERS_STALL_MS = 10;
const WRITE_WAIT_MS = 5;

export function heldAgainstTargets(counters: readonly CountersRow[], batches: readonly BatchRow[]): readonly Target[] {
  const reads = counters.flatMap(({ routes, measured: { wallMs, stallMs } }) => [
    below(`counters of ${routes} routes, wall time, median`, wallMs.median, (COUNTERS_WALL_MS * Math.max(routes, 100_000)) / 100_000),
    below(`counters of ${routes} routes, longest stall of the event loop, median`, stallMs.median, COUNTERS_STALL_MS),
  ]);
  const largest = batches.filter(({ singly }) => !singly).at(-1);
  if (largest === undefined) return reads;
  const { routes, measured } = largest;
  return [...reads, below(`${routes} routes in one list, what comes meanwhile waits, 99 %`, measured.installWaitP99Ms, WRITE_WAIT_MS)];
}

function below(what: string, value: number, limit: number): Target {
  return { what, limit: `< ${limit.toFixed(0)} ms`, measured: `${value.toFixed(1)} ms`, met: value < limit };
}

export function renderResults(results: Results): string {
  const { joins, batches, counters, memory, targets, environment } = results;
  return [
    `Linux ${environment.kernel}, Node ${environment.node}, ${environment.cpus} x ${environment.cpu}`,
    '',
    'A join: microseconds from the decision (median / 99 %)',
    table(['outgoing set after it', 'route is written', 'first copy at the new port', 'stream, packets/s'], joins.map(joinCells)),
    '',
    'Many routes with one outgoing set',
    table(['routes', 'installed/s', 'removed/s', '99 % wait less, ms', 'longest stall, ms'], batches.map(batchCells)),
    '',
    'Reading all counters: milliseconds (median / max)',
    table(['routes', 'wall time', 'longest stall', 'finding active routes', 'heap/route'], counters.map(countersCells)),
    '',
    `Memory in the kernel (${memory.cpus} CPUs)`,
    table(['per', 'bytes'], memoryCells(memory)),
    '',
    ...targetLines(targets),
  ].join('\n');
}

function joinCells({ ports, existing, written, arrived }: JoinRow): readonly string[] {
  const set = `${existing ? 'existing' : 'new'}, ${ports} ports`;
  return [set, pair(written.writtenUs, 'p99'), pair(arrived.arrivedUs, 'p99'), thousands(arrived.streamPps)];
}

function batchCells({ routes, singly, measured }: BatchRow): readonly string[] {
  const perSecond = (ms: number): string => thousands((routes * 1000) / ms);
  // One call each leaves no room for anything else: its stall says nothing.
  const waits = singly ? ['-', '-'] : [measured.installWaitP99Ms, Math.max(measured.installStallMs, measured.removeStallMs)].map((ms) => ms.toFixed(1));
  return [`${thousands(routes)}${singly ? ', one call each' : ''}`, perSecond(measured.installMs), perSecond(measured.removeMs), ...waits];
}

function countersCells({ routes, measured }: CountersRow): readonly string[] {
  const { wallMs, stallMs, comparedMs, heapBytesPerRoute } = measured;
  return [thousands(routes), pair(wallMs, 'max'), pair(stallMs, 'max'), pair(comparedMs, 'max'), `${heapBytesPerRoute.toFixed(0)} B`];
}

function memoryCells({ perRouteBytes, perVportBytes, fixedBytes, groups }: MemoryAnswer): readonly (readonly string[])[] {
  return [
    ['route', perRouteBytes.toFixed(0)],
    ...groups.map(({ slots, bytes }) => [`replication group of ${slots} slots`, bytes.toFixed(0)]),
    ['vport', perVportBytes.toFixed(0)],
    ['everything else', fixedBytes.toFixed(0)],
  ];
}

function pair(spread: Spread, second: 'p99' | 'max'): string {
  return `${spread.median.toFixed(1)} / ${spread[second].toFixed(1)}`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ');
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
