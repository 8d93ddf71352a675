/** Short runs of bench:igmp and bench:join: that they work, and that their figures hang together. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Results as IgmpResults } from '../bench/igmp/results';
import type { Results as JoinResults } from '../bench/join/results';
import { inRepository } from '../lab/repository';

jest.setTimeout(90_000);

let out: string;

beforeAll(() => {
  out = mkdtempSync('/tmp/xmcast-bench-');
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

async function runBench<Results>(
  name: string,
  ...options: readonly string[]
): Promise<{ readonly printed: string; readonly results: Results }> {
  const argv = [inRepository(`build/test/bench/${name}/main.js`), '--out', out, ...options];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  return { printed: stdout, results: JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results };
}

test('bench:igmp: at an easy pace every router knows every group, and xmcast has a route for each', async () => {
  const options = ['--routers', 'xmcast,FRR', '--groups', '500', '--rates', '1000', '--records', '50', '--scale', '0'];
  const { printed, results } = await runBench<IgmpResults>('igmp', ...options);
  expect(results.cells.map(({ router, version, change }) => `${router} v${version} ${change}`)).toEqual([
    ...['xmcast v2 join', 'xmcast v2 refresh', 'FRR v2 join', 'FRR v2 refresh'],
    ...['xmcast v3 join', 'xmcast v3 refresh', 'FRR v3 join', 'FRR v3 refresh'],
  ]);
  for (const cell of results.cells) {
    expect(cell).toMatchObject({ offered: 500, known: 500, lostMessages: 0, routes: cell.router === 'xmcast' ? 500 : null });
    expect(cell.cpuMs).toBeGreaterThan(0);
    // 500 groups at 1,000 a second.
    expect(cell.wallMs).toBeGreaterThan(400);
    expect(cell.residentBytes).toBeGreaterThan(1e6);
  }
  expect(printed).toContain('[ 8/8]');
  expect(readFileSync(join(out, 'table.txt'), 'utf8')).toContain('v3, known, 50 in a message');
});

test('bench:join: every join brings the stream, every leave ends it after the last member query time', async () => {
  const { results } = await runBench<JoinResults>('join', '--routers', 'xmcast,FRR', '--trials', '10', '--leaves', '10');
  expect(results.rows.map(({ router, method }) => `${router} ${method}`)).toEqual([
    ...['xmcast unknown', 'xmcast known', 'xmcast silent', 'xmcast leave'],
    ...['FRR unknown', 'FRR known', 'FRR silent', 'FRR leave'],
  ]);
  for (const { method, missing, delayMs } of results.rows) {
    expect(missing).toBe(0);
    expect(delayMs?.p50).toBeGreaterThan(method === 'leave' ? 1900 : 0);
    expect(delayMs?.max).toBeLessThan(method === 'leave' ? 3500 : 900);
  }
});
