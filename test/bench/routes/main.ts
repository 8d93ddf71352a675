/** npm run bench:routes: what a join, a table of routes and a look at all counters cost the controller. Prints a table, writes JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { inRepository } from '../../lab/repository';
import { Bed } from './bed';
import { heldAgainstTargets, renderResults, type BatchRow, type CountersRow, type JoinRow, type Results } from './results';

interface Options {
  readonly ports: number;
  readonly sets: readonly number[];
  readonly samples: number;
  readonly routes: number;
  readonly reads: number;
  readonly out: string;
  readonly check: boolean;
}

const MAX_PORTS = 1000;
const GROUP_LIMIT = 4096;
/** One list each, and --routes. */
const BATCHES = [256, 1024, 10_000];
const SINGLY = 10_000;
const COUNTER_ROUTES = 100_000;

function integerFrom(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`Expected an integer from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

function parseOptions(): Options {
  const set = integerFrom(2, MAX_PORTS);
  return new Command('bench:routes')
    .option('--ports <n>', 'outgoing ports there are', integerFrom(4, MAX_PORTS), 260)
    .option('--sets <list>', 'sizes of the outgoing set after a join', (text: string) => text.split(',').map(set), [4, 16, 64, 256])
    .option('--samples <n>', 'joins of each kind', integerFrom(10, 10_000), 150)
    .option('--routes <n>', 'routes of the full table', integerFrom(1000, 1_000_000), 128_000)
    .option('--reads <n>', 'reads of all counters', integerFrom(1, 1000), 20)
    .option('--out <dir>', 'where results.json and table.txt go', inRepository('build/bench/routes'))
    .option('--check', 'fail when a target is missed', false)
    .parse()
    .opts<Options>();
}

function progress(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function measureJoins(bed: Bed, { sets, samples, ports: available }: Options): Promise<readonly JoinRow[]> {
  const rows: JoinRow[] = [];
  for (const existing of [true, false]) {
    for (const ports of sets.filter((size) => size <= available)) {
      // No more than there are different sets of this size.
      const bounded = Math.min(samples, available - 30);
      const written = await bed.ask({ do: 'joins', ports, existing, samples: bounded });
      const arrived = await bed.ask({ do: 'arrivals', ports, existing, samples: bounded });
      rows.push({ ports, existing, written, arrived });
      const [writtenUs, arrivedUs] = [written.writtenUs.median.toFixed(1), arrived.arrivedUs.median.toFixed(1)];
      progress(`join into ${existing ? 'an existing' : 'a new'} set of ${ports} ports: written ${writtenUs} us, first copy ${arrivedUs} us`);
    }
  }
  return rows;
}

async function measureBatches(bed: Bed, { routes }: Options): Promise<readonly BatchRow[]> {
  const rows: BatchRow[] = [];
  const wanted = [{ routes: Math.min(SINGLY, routes), singly: true }, ...[...BATCHES, routes].map((count) => ({ routes: count, singly: false }))];
  for (const { routes: count, singly } of wanted.filter((row) => row.routes <= routes)) {
    const measured = await bed.ask({ do: 'batch', routes: count, singly });
    if (measured.refused > 0) throw new Error(`${measured.refused} of ${count} routes were refused`);
    rows.push({ routes: count, singly, measured });
    progress(`${count} routes ${singly ? 'one by one' : 'in one list'}: ${Math.round((count * 1000) / measured.installMs)} per second`);
  }
  return rows;
}

async function measureCounters(bed: Bed, { routes, reads }: Options): Promise<readonly CountersRow[]> {
  const rows: CountersRow[] = [];
  for (const count of [...new Set([Math.min(COUNTER_ROUTES, routes), routes])]) {
    const measured = await bed.ask({ do: 'counters', routes: count, reads });
    rows.push({ routes: count, measured });
    progress(`counters of ${count} routes: ${measured.wallMs.median.toFixed(1)} ms, longest stall ${measured.stallMs.median.toFixed(1)} ms`);
  }
  return rows;
}

async function measureAll(options: Options): Promise<Results> {
  progress(`Building the network: one router, ${options.ports} ports`);
  const bed = await Bed.create({ ports: options.ports, routeLimit: options.routes, groupLimit: GROUP_LIMIT });
  try {
    const joins = await measureJoins(bed, options);
    const batches = await measureBatches(bed, options);
    const counters = await measureCounters(bed, options);
    const memory = await bed.ask({ do: 'memory' });
    const [cpu] = cpus();
    const environment = { kernel: release(), node: process.version, cpu: cpu?.model ?? 'unknown', cpus: cpus().length };
    return { environment, joins, batches, counters, memory, targets: heldAgainstTargets(counters, batches) };
  } finally {
    await bed.close();
  }
}

async function main(): Promise<number> {
  const options = parseOptions();
  const results = await measureAll(options);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(options.out, 'table.txt'), `${renderResults(results)}\n`);
  progress(`\n${renderResults(results)}\n\nWritten to ${options.out}: results.json, table.txt`);
  return options.check && results.targets.some(({ met }) => !met) ? 1 : 0;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`bench:routes: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
