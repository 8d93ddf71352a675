/** npm run bench:static: what static entries by the thousand cost the controller. Prints a table, writes JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { inRepository } from '../../lab/repository';
import { environment, failWith, integerFrom } from '../peers/command-line';
import { Bed } from './bed';
import { groupRoutes, measureFlap, measureMemory, measureSingles, measureUpdate, memberships, sourceRoutes } from './measure';
import { heldAgainstTargets, type Results, type Row } from './results';
import { renderResults } from './table';

interface Options {
  readonly entries: number;
  readonly calls: number;
  readonly out: string;
  readonly check: boolean;
}

/** Before anything is measured, as in a daemon that has been up for a while. */
const WARM_UP = 5000;
const PORTS = 4;

function parseOptions(): Options {
  return new Command('bench:static')
    .option('--entries <n>', 'entries of one call', integerFrom(1000, 65_000), 50_000)
    .option('--calls <n>', 'calls of one entry', integerFrom(10, 100_000), 1000)
    .option('--out <dir>', 'where results.json and table.txt go', inRepository('build/bench/static'))
    .option('--check', 'fail when a target is missed', false)
    .parse()
    .opts<Options>();
}

function progress({ what, entries, wallMs, stallMs }: Row): void {
  process.stdout.write(`${what}, ${entries} entries: ${wallMs.toFixed(0)} ms, longest stall ${stallMs.toFixed(1)} ms\n`);
}

async function measureAll({ entries, calls }: Options): Promise<Results> {
  const bed = await Bed.create(entries);
  const rows: Row[] = [];
  const note = (...measured: readonly Row[]): void => {
    for (const row of measured) progress(row);
    rows.push(...measured);
  };
  try {
    await measureUpdate(bed, 'warm up', { upserts: [...sourceRoutes(WARM_UP, PORTS)] });
    await measureUpdate(bed, 'warm up', { replace: true });
    const sources = [...sourceRoutes(entries, PORTS)];
    note(await measureUpdate(bed, `(S,G) routes to ${PORTS} ports come`, { upserts: sources }));
    note(await measureUpdate(bed, 'the same once more', { upserts: sources }));
    note(await measureUpdate(bed, 'all get other ports', { upserts: [...sourceRoutes(entries, PORTS, 1)] }));
    const singles = [await measureSingles(bed, calls, 1), await measureSingles(bed, calls, 8)];
    note(...(await measureFlap(bed, entries)));
    note(await measureUpdate(bed, 'all go', { replace: true }));
    const groups = [...groupRoutes(entries, 1)];
    note(await measureUpdate(bed, '(*,G) routes to one port come', { upserts: groups }));
    note(await measureUpdate(bed, 'all go', { replace: true }));
    note(await measureUpdate(bed, 'memberships come', { upserts: [...memberships(entries)] }));
    note(await measureUpdate(bed, 'all go', { replace: true }));
    const memory = [
      await measureMemory(bed, '(S,G) routes', sources),
      await measureMemory(bed, '(*,G) routes', groups),
      await measureMemory(bed, 'memberships', memberships(entries)),
    ];
    return { environment: environment(), rows, singles, memory, targets: heldAgainstTargets(rows, singles) };
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
