/** npm run bench:static: what static entries by the thousand cost the controller. Prints a table, writes JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { inRepository } from '../../lab/repository';
import { environment, failWith, integerFrom } from '../peers/command-line';
import { Bed } from './bed';
import { groupRoutes, measureFlap, measureMemory, measureSingles, measureUpdate, memberships, rangeRoutes, sourceRoutes } from './measure';
import { heldAgainstTargets, merged, type Results, type Row } from './results';
import { renderResults } from './table';

interface Options {
  readonly entries: number;
  readonly calls: number;
  readonly runs: number;
  readonly out: string;
  readonly check: boolean;
}

/** Before anything is measured, as in a daemon that has been up for a while. */
const WARM_UP = 5000;
const PORTS = 4;
const RANGES = 4000;

function parseOptions(): Options {
  return new Command('bench:static')
    .option('--entries <n>', 'entries of one call', integerFrom(1000, 65_000), 50_000)
    .option('--calls <n>', 'calls of one entry', integerFrom(10, 100_000), 1000)
    .option('--runs <n>', 'how often each large step is measured', integerFrom(1, 100), 5)
    .option('--out <dir>', 'where results.json and table.txt go', inRepository('build/bench/static'))
    .option('--check', 'fail when a target is missed', false)
    .parse()
    .opts<Options>();
}

function progress({ what, entries, wallMs, stallMs }: Row): void {
  process.stdout.write(`${what}, ${entries} entries: ${wallMs.toFixed(0)} ms, longest stall ${stallMs.toFixed(1)} ms\n`);
}

/** Begins and ends with an owner that has nothing. */
async function measureOnce(bed: Bed, entries: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const note = (...measured: readonly Row[]): void => {
    for (const row of measured) progress(row);
    rows.push(...measured);
  };
  const sources = [...sourceRoutes(entries, PORTS)];
  note(await measureUpdate(bed, `(S,G) routes to ${PORTS} ports come`, { upserts: sources }));
  note(await measureUpdate(bed, 'the same once more', { upserts: sources }));
  note(await measureUpdate(bed, 'all get other ports', { upserts: [...sourceRoutes(entries, PORTS, 1)] }));
  note(...(await measureFlap(bed, entries)));
  note(await measureUpdate(bed, 'all go', { replace: true }));
  for (const [what, upserts] of [
    ['(*,G) routes to one port', groupRoutes(entries, 1)],
    ['memberships', memberships(entries)],
    ['routes of ranges', rangeRoutes(Math.min(RANGES, entries))],
  ] as const) {
    note(await measureUpdate(bed, `${what} come`, { upserts: [...upserts] }));
    note(await measureUpdate(bed, `${what} go`, { replace: true }));
  }
  return rows;
}

async function measureAll({ entries, calls, runs }: Options): Promise<Results> {
  const bed = await Bed.create(entries);
  try {
    await measureUpdate(bed, 'warm up', { upserts: [...sourceRoutes(WARM_UP, PORTS)] });
    await measureUpdate(bed, 'warm up', { replace: true });
    const all: (readonly Row[])[] = [];
    for (let run = 0; run < runs; run++) all.push(await measureOnce(bed, entries));
    const rows = (all[0] ?? []).map((_, step) => merged(all.flatMap((run) => run[step] ?? [])));
    const singles = [await measureSingles(bed, calls, 1), await measureSingles(bed, calls, 8)];
    const memory = [
      await measureMemory(bed, '(S,G) routes', sourceRoutes(entries, PORTS)),
      await measureMemory(bed, '(*,G) routes', groupRoutes(entries, 1)),
      await measureMemory(bed, 'memberships', memberships(entries)),
    ];
    return { environment: environment(), rows, singles, memory, targets: heldAgainstTargets(rows) };
  } finally {
    await bed.close();
  }
}

async function main(): Promise<number> {
  const options = parseOptions();
  const results = await measureAll(options);
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(options.out, 'table.txt'), renderResults(results));
  process.stdout.write(`\n${renderResults(results)}\nWritten to ${options.out}: results.json, table.txt\n`);
  return options.check && results.targets.some(({ met }) => !met) ? 1 : 0;
}

main().then((status) => (process.exitCode = status), failWith('bench:static'));
