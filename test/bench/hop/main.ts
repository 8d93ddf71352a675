/** npm run bench:hop: what it costs to have data plane and controller in two processes. Prints a table, writes JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { inRepository } from '../../lab/repository';
import { environment, failWith, integerFrom } from '../peers/command-line';
import { measureForm, type HopOptions } from './measure';
import { FORMS, PROCESSES, type Measured, type Results } from './results';
import { renderResults } from './table';

interface Options extends HopOptions {
  readonly out: string;
}

function parseOptions(): Options {
  return new Command('bench:hop')
    .option('--trials <n>', 'joins', integerFrom(1, 10_000), 300)
    .option('--singles <n>', 'routes written one by one', integerFrom(1, 10_000), 2000)
    .option('--routes <n>', 'routes written in lists', integerFrom(1, 500_000), 50_000)
    .option('--counter-routes <n>', 'routes whose counters are read', integerFrom(1, 500_000), 100_000)
    .option('--reads <n>', 'readings of all counters', integerFrom(1, 100), 3)
    .option('--punts <n>', 'reports sent as fast as it goes', integerFrom(1, 100_000), 5000)
    .option('--out <dir>', 'where results.json and table.txt go', inRepository('build/bench/hop'))
    .parse()
    .opts<Options>();
}

async function main(): Promise<number> {
  const options = parseOptions();
  const measured: Measured[] = [];
  for (const form of FORMS) {
    process.stdout.write(`Measuring in ${PROCESSES[form]}\n`);
    measured.push(await measureForm(form, options));
  }
  const results: Results = { environment: environment(), measured };
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(options.out, 'table.txt'), renderResults(results));
  process.stdout.write(`\n${renderResults(results)}\nWritten to ${options.out}: results.json, table.txt\n`);
  return 0;
}

main().then((status) => (process.exitCode = status), failWith('bench:hop'));
