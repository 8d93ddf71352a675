/** A short run of the benchmark: that it works, and that what it measures is not contradicted by what the receivers counted. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Results } from '../bench/forward/results';
import { inRepository } from '../lab/repository';

jest.setTimeout(25_000);

const ROUTES = 1000;
const BENCH = inRepository('build/test/bench/forward/main.js');
let out: string;
let printed: string;
let results: Results;

beforeAll(async () => {
  out = mkdtempSync('/tmp/xmcast-bench-');
  const options = ['--ports', '1,4', '--sizes', '64', '--seconds', '0.2', '--routes', String(ROUTES), '--out', out];
  printed = (await promisify(execFile)(process.execPath, [BENCH, ...options])).stdout;
  results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results;
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

test("xmcast's counters say what the receivers saw, and nobody else got anything", () => {
  expect(results.contradictions).toEqual([]);
});

test('every contender was measured in every cell', () => {
  expect(results.cells.map(({ ports, size }) => [ports, size])).toEqual([
    [1, 64],
    [4, 64],
  ]);
  for (const { contenders } of results.cells) {
    for (const { copiesPerSecond, nsPerCopy } of Object.values(contenders)) {
      expect(copiesPerSecond.median).toBeGreaterThan(1000);
      expect(nsPerCopy).toBeGreaterThan(0);
    }
  }
});

test('the full table was walked, and its memory is told', () => {
  expect(results.table).toMatchObject({ routes: ROUTES, ports: 4 });
  expect(results.table?.ratio.median).toBeGreaterThan(0);
  expect(results.memory.perRouteBytes).toBeGreaterThan(0);
  expect(results.memory.perVportBytes).toBeGreaterThan(0);
  expect(results.memory.groups.length).toBeGreaterThan(0);
});

test('progress, table and picture are there', () => {
  expect(printed).toContain('[ 4/4]');
  expect(readFileSync(join(out, 'table.txt'), 'utf8')).toContain('xmcast/kernel');
  expect(readFileSync(join(out, 'plot.svg'), 'utf8')).toMatch(/^<svg [^]*4 ports[^]*<\/svg>\n$/);
});
