/** npm run bench:igmp: what membership reports cost xmcast and its peers, and what they remember of them. Prints a table, writes JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { inRepository } from '../../lab/repository';
import { environment, failWith, integerFrom, listOf, routerList } from '../peers/command-line';
import { ROUTER_NAMES, type RouterName } from '../peers/routers';
import { measureFeed, type Feed } from './measure';
import { heldAgainstTargets, type Cell, type Results } from './results';
import { renderResults, reportsText } from './table';

interface Options {
  readonly routers: readonly RouterName[];
  readonly groups: number;
  readonly rates: readonly number[];
  readonly records: number;
  readonly scale: number;
  readonly out: string;
  readonly check: boolean;
}

const MAX_GROUPS = 131_072;
const SCALE_RATE = 50_000;

function parseOptions(): Options {
  return new Command('bench:igmp')
    .option('--routers <list>', 'who takes part', routerList, ROUTER_NAMES)
    .option('--groups <n>', 'groups reported to each router', integerFrom(100, MAX_GROUPS), 10_000)
    .option('--rates <list>', 'groups reported a second', listOf(integerFrom(100, 10_000_000)), [2000, 50_000])
    .option('--records <n>', 'groups in an IGMPv3 report', integerFrom(1, 183), 100)
    .option('--scale <n>', 'groups reported to xmcast alone; 0 leaves that part out', integerFrom(0, MAX_GROUPS), 100_000)
    .option('--out <dir>', 'where results.json and table.txt go', inRepository('build/bench/igmp'))
    .option('--check', 'fail when a target is missed', false)
    .parse()
    .opts<Options>();
}

function feeds({ routers, groups, rates, records, scale }: Options): readonly Feed[] {
  const kinds = [
    { version: 2, recordsPerReport: 1 },
    { version: 3, recordsPerReport: records },
  ] as const;
  const compared = kinds.flatMap((kind) => rates.flatMap((rate) => routers.map((router) => ({ ...kind, router, rate, groups }))));
  // A hundred thousand groups would keep the others busy for many minutes: what a group costs them grows with their number.
  const large =
    scale === 0 || !routers.includes('xmcast')
      ? []
      : kinds.map((kind) => ({ ...kind, router: 'xmcast' as const, rate: SCALE_RATE, groups: scale }));
  return [...compared, ...large];
}

function progress(cell: Cell, done: number, all: number): void {
  const { router, offered, offeredPerSecond, known, cpuMs } = cell;
  const what = `${router}, ${reportsText(cell)}, ${offered} at ${offeredPerSecond}/s`;
  process.stdout.write(`[${String(done).padStart(2)}/${all}] ${what}: ${known} known, ${cpuMs.toFixed(0)} ms of CPU\n`);
}

async function main(): Promise<number> {
  const options = parseOptions();
  const wanted = feeds(options);
  const cells: Cell[] = [];
  for (const feed of wanted) {
    for (const cell of await measureFeed(feed)) {
      cells.push(cell);
      progress(cell, cells.length, 2 * wanted.length);
    }
  }
  const results: Results = { environment: environment(), cells, targets: heldAgainstTargets(cells) };
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(options.out, 'table.txt'), renderResults(results));
  process.stdout.write(`\n${renderResults(results)}\nWritten to ${options.out}: results.json, table.txt\n`);
  return options.check && results.targets.some(({ met }) => !met) ? 1 : 0;
}

main().then((status) => (process.exitCode = status), failWith('bench:igmp'));
