/**
 * `npm run bench:forward`: copies per second of xmcast, by XDP and by tc, of the kernel's forwarder and of bare XDP broadcasts, in one run on one network.
 * Exit status 0 when the figures contradict nothing, with --check also only when every target is met. docs/benchmarks.md explains.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { inRepository } from '../../lab/repository';
import { Bed } from './bed';
import { measureCell, measureGenerator, measureTable, type Meter } from './measure';
import { renderPlot } from './plot';
import { heldAgainstTargets, portsText, type Cell, type Results, type TableCell } from './results';
import { renderResults } from './table';

interface Options {
  readonly seconds: number;
  readonly ports: readonly number[];
  readonly sizes: readonly number[];
  readonly routes: number;
  readonly json?: string;
  readonly out: string;
  readonly check: boolean;
}

/** The kernel's forwarder has room for 32 interfaces, one of them the incoming. */
const MAX_PORTS = 31;
/** What forms a whole UDP frame and can be replicated. */
const [MIN_SIZE, MAX_SIZE] = [60, 1514];
/** Beside those of --routes: one for each port count. */
const SPARE_ROUTES = 64;

function numbersWithin(minimum: number, maximum: number): (text: string) => readonly number[] {
  return (text) => {
    const numbers = text.split(',').map(Number);
    if (numbers.some((value) => !Number.isInteger(value) || value < minimum || value > maximum)) {
      throw new InvalidArgumentError(`Expected numbers from ${minimum} to ${maximum}, separated by commas.`);
    }
    return [...new Set(numbers)];
  };
}

function numberWithin(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value >= minimum && value <= maximum))
      throw new InvalidArgumentError(`Expected a number from ${minimum} to ${maximum}.`);
    return value;
  };
}

function parseOptions(): Options {
  return new Command('bench:forward')
    .option('--seconds <n>', 'time for each cell of the table', numberWithin(0.01, 3600), 10)
    .option('--ports <list>', 'outgoing ports', numbersWithin(1, MAX_PORTS), [1, 4, 16, 31])
    .option('--sizes <list>', 'frame sizes in bytes', numbersWithin(MIN_SIZE, MAX_SIZE), [64, 1358])
    .option('--routes <n>', 'routes of the full table; 0 leaves that part out', numberWithin(0, 1_000_000), 128_000)
    .option('--out <dir>', 'where results.json, table.txt and plot.svg go', inRepository('build/bench/forward'))
    .option('--json <file>', 'another copy of the results as JSON')
    .option('--check', 'fail when a target is missed', false)
    .parse()
    .opts<Options>();
}

/** Lines on a terminal are replaced as they grow; elsewhere only finished ones appear. */
class Progress {
  readonly #parts: number;
  readonly #started = performance.now();
  readonly #live = process.stdout.isTTY;
  #done = 0;

  constructor(parts: number) {
    this.#parts = parts;
  }

  round(what: string, round: number, rounds: number): void {
    if (this.#live) process.stdout.write(`\r\u001b[K${this.#place()} ${what}: round ${round} of ${rounds}`);
  }

  finished(what: string): void {
    this.#done += 1;
    const elapsed = (performance.now() - this.#started) / 1000;
    const left = Math.round((elapsed / this.#done) * (this.#parts - this.#done));
    process.stdout.write(`${this.#live ? '\r\u001b[K' : ''}${this.#place()} ${what}; about ${left} s left\n`);
  }

  #place(): string {
    return `[${String(this.#done).padStart(2)}/${this.#parts}]`;
  }
}

async function runAll(options: Options): Promise<Results> {
  const { ports: portCounts, routes } = options;
  const routeLimit = routes + SPARE_ROUTES;
  process.stdout.write(`Building the network: one router, ${Math.max(...portCounts)} ports\n`);
  const bed = await Bed.create({ portCounts: routes > 0 ? [...new Set([...portCounts, 4])] : portCounts, routeLimit });
  try {
    return await measureAll(bed, options);
  } finally {
    await bed.close();
  }
}

async function measureAll(bed: Bed, { seconds, ports: portCounts, sizes, routes }: Options): Promise<Results> {
  const contradictions: string[] = [];
  const progress = new Progress(sizes.length * (portCounts.length + 1) + (routes > 0 ? 1 : 0));
  const meter = (what: string): Meter => ({
    bed,
    seconds,
    contradiction: (sentence) => contradictions.push(sentence),
    onRound: (round, rounds) => progress.round(what, round, rounds),
  });
  const generatorNsPerPacket: Record<number, number> = {};
  const cells: Cell[] = [];
  for (const size of sizes) {
    generatorNsPerPacket[size] = await measureGenerator(meter(`${size} B, generator`), size);
    progress.finished(`${size} B, generator alone: ${generatorNsPerPacket[size].toFixed(0)} ns per packet`);
    for (const ports of portCounts) {
      const cell = await measureCell(meter(`${size} B, ${portsText(ports)}`), ports, size);
      cells.push(cell);
      progress.finished(cellLine(cell));
    }
  }
  const memory = await bed.ask({ do: 'memory' });
  const table = routes > 0 ? await measureTable(meter(`${routes} routes`), routes) : null;
  if (table !== null) progress.finished(tableLine(table));
  return {
    environment: environment(),
    generatorNsPerPacket,
    cells,
    table,
    memory,
    contradictions,
    targets: heldAgainstTargets(cells, table),
  };
}

function cellLine({ ports, size, contenders: { xmcast, tc, kernel, bare }, overKernel, tcOverKernel, overBare, egressOverBare }: Cell): string {
  const [x, t, k, b] = [xmcast, tc, kernel, bare].map(({ copiesPerSecond }) => (copiesPerSecond.median / 1e6).toFixed(2));
  return `${size} B, ${portsText(ports)}: xmcast ${x}, in tc mode ${t}, kernel ${k}, bare ${b} Mcopies/s; ${overKernel.median.toFixed(2)} x kernel, ${tcOverKernel.median.toFixed(2)} x in tc mode, ${overBare.median.toFixed(2)} of bare (${egressOverBare.median.toFixed(2)} with an empty egress program)`;
}

function tableLine({ routes, ratio }: TableCell): string {
  return `${routes} routes: a packet costs ${ratio.median.toFixed(2)} x one with one route`;
}

function environment(): Results['environment'] {
  const [cpu] = cpus();
  const { version } = JSON.parse(readFileSync(inRepository('package.json'), 'utf8')) as { readonly version: string };
  return { xmcast: version, kernel: release(), cpu: cpu?.model ?? 'unknown', cpus: cpus().length, node: process.version };
}

async function main(): Promise<number> {
  const options = parseOptions();
  const results = await runAll(options);
  mkdirSync(options.out, { recursive: true });
  const json = `${JSON.stringify(results, null, 2)}\n`;
  writeFileSync(join(options.out, 'results.json'), json);
  if (options.json !== undefined) writeFileSync(options.json, json);
  writeFileSync(join(options.out, 'table.txt'), renderResults(results, false));
  writeFileSync(join(options.out, 'plot.svg'), renderPlot(results.cells));
  process.stdout.write(`\n${renderResults(results, process.stdout.isTTY)}\n`);
  process.stdout.write(`Written to ${options.out}: results.json, table.txt, plot.svg\n`);
  if (results.contradictions.length > 0) return 1;
  return options.check && results.targets.some(({ met }) => !met) ? 1 : 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`bench:forward: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
