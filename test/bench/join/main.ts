/** npm run bench:join: how soon a stream is there after a join, and gone after a leave; xmcast beside its peers. Prints a table, writes JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { inRepository } from '../../lab/repository';
import { environment, failWith, integerFrom, routerList } from '../peers/command-line';
import { ROUTER_NAMES, type RouterName } from '../peers/routers';
import { measureRouter } from './measure';
import { heldAgainstTargets, METHOD_TEXT, type Results, type Row } from './results';
import { renderResults } from './table';

interface Options {
  readonly routers: readonly RouterName[];
  readonly trials: number;
  readonly leaves: number;
  readonly igmp: 2 | 3;
  readonly rate: number;
  readonly out: string;
  readonly check: boolean;
}

function parseOptions(): Options {
  return new Command('bench:join')
    .option('--routers <list>', 'who takes part', routerList, ROUTER_NAMES)
    .option('--trials <n>', 'joins of each kind', integerFrom(1, 10_000), 500)
    .option('--leaves <n>', 'leaves, a hundred at a time', integerFrom(1, 10_000), 500)
    .option('--igmp <version>', 'version of the reports', integerFrom(2, 3), 3)
    .option('--rate <n>', 'frames of the stream a second', integerFrom(100, 100_000), 10_000)
    .option('--out <dir>', 'where results.json and table.txt go', inRepository('build/bench/join'))
    .option('--check', 'fail when a target is missed', false)
    .parse()
    .opts<Options>();
}

function progress({ router, method, trials, missing, delayMs }: Row): void {
  const figures = delayMs === null ? 'nothing arrived' : `median ${delayMs.p50.toFixed(2)} ms, 99 % ${delayMs.p99.toFixed(2)} ms`;
  process.stdout.write(`${router}, ${METHOD_TEXT[method]}, ${trials} trials, ${missing} missing: ${figures}\n`);
}

async function main(): Promise<number> {
  const options = parseOptions();
  const rows: Row[] = [];
  for (const router of options.routers) {
    rows.push(...(await measureRouter(router, { ...options, version: options.igmp, streamPps: options.rate }, progress)));
  }
  const results: Results = {
    environment: environment(),
    version: options.igmp,
    streamPps: options.rate,
    rows,
    targets: heldAgainstTargets(rows),
  };
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(options.out, 'table.txt'), renderResults(results));
  process.stdout.write(`\n${renderResults(results)}\nWritten to ${options.out}: results.json, table.txt\n`);
  return options.check && results.targets.some(({ met }) => !met) ? 1 : 0;
}

main().then((status) => (process.exitCode = status), failWith('bench:join'));
