/** A short run of bench:static: that it works, and that its figures hang together. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Results } from '../bench/static/results';
import { inRepository } from '../lab/repository';

jest.setTimeout(120_000);

let out: string;

beforeAll(() => {
  out = mkdtempSync('/tmp/xmcast-bench-');
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

test('every step is measured, and everything that came is in the data plane', async () => {
  const argv = [inRepository('build/test/bench/static/main.js'), '--entries', '2000', '--calls', '20', '--runs', '1', '--out', out];
  await promisify(execFile)(process.execPath, argv);
  const { rows, singles, memory } = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results;
  expect(rows.map(({ what, entries }) => `${what}: ${entries}`)).toEqual([
    '(S,G) routes to 4 ports come: 2000',
    'the same once more: 2000',
    'all get other ports: 2000',
    'lan1 goes down: 2000',
    'lan1 goes up: 2000',
    'all go: 2000',
    '(*,G) routes to one port come: 2000',
    '(*,G) routes to one port go: 2000',
    'memberships come: 2000',
    'memberships go: 2000',
    'routes of ranges come: 2000',
    'routes of ranges go: 2000',
  ]);
  for (const { wallMs, cpuMs, stallMs } of rows) expect([wallMs > 0, cpuMs > 0, stallMs >= 0, stallMs <= wallMs + 10]).toEqual([true, true, true, true]);
  expect(singles.map(({ atOnce }) => atOnce)).toEqual([1, 8]);
  expect(memory.map(({ kind }) => kind)).toEqual(['(S,G) routes', '(*,G) routes', 'memberships']);
  expect(readFileSync(join(out, 'table.txt'), 'utf8')).toContain('heap bytes/entry');
});
