/**
 * xmcastctl import: what goes to which stream, and the exit status.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type CliIo, runCli } from '../../../control/cli/run';
import { checkConfigText } from '../../../control/config/check';
import { MAX_IMPORT_BYTES } from '../../../control/import/import-config';

let folder: string;

beforeEach(() => void (folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-import-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function file(text: string | Buffer): string {
  const name = path.join(folder, 'old.conf');
  writeFileSync(name, text);
  return name;
}

async function run(
  argv: readonly string[],
  io: Partial<CliIo> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  const status = await runCli(argv, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    isTerminal: false,
    ...io,
  });
  return { status, stdout, stderr };
}

const GOOD = 'phyint eth0 upstream\nphyint eth1 downstream ratelimit 9\n';

test('the configuration to stdout, what is not the same to stderr, and no daemon is needed', async () => {
  const name = file(GOOD);
  const { status, stdout, stderr } = await run(['import', 'igmpproxy', name]);
  expect(status).toBe(0);
  expect(checkConfigText(stdout).config?.interfaces).toMatchObject([
    { name: 'eth0', upstream: true },
    { name: 'eth1', upstream: false },
  ]);
  expect(stdout).toContain('#   line 2: warning: ratelimit "9"');
  expect(stderr).toContain(`${name}:2: warning: ratelimit "9"`);
  expect(stderr).toContain(`${name}: info: igmpproxy asks with IGMPv2`);
});

test('from standard input', async () => {
  async function* stdin(): AsyncGenerator<string> {
    yield 'mroute from eth0 gro';
    yield 'up 239.1.1.1 to eth1\n';
  }
  const { status, stdout, stderr } = await run(['import', 'smcroute', '-'], { stdin: stdin() });
  expect(status).toBe(0);
  expect(checkConfigText(stdout).config?.staticRoutes).toMatchObject([
    { group: '239.1.1.1', upstream: 'eth0', downstreams: ['eth1'] },
  ]);
  expect(stderr).toContain('standard input: info: smcroute forwards by its routes alone');
});

test('what was not understood: status 1, and the rest of the configuration all the same', async () => {
  const { status, stdout, stderr } = await run(['import', 'igmpproxy', file(`${GOOD}quikleave`)]);
  expect(status).toBe(1);
  expect(checkConfigText(stdout).problems).toEqual([]);
  expect(stderr).toMatch(/old\.conf:3: error: "quikleave" is not known here; did you mean "quickleave"\?\n/);
});

test('as JSON: configuration and notes in one document', async () => {
  const { status, stdout, stderr } = await run(['import', 'igmpproxy', file(GOOD), '-o', 'json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({
    config: { interfaces: [{ name: 'eth0', upstream: true }, { name: 'eth1' }] },
    notes: [
      { line: 0, severity: 'info' },
      { line: 2, severity: 'warning', text: expect.stringContaining('ratelimit') },
    ],
  });
});

test('a comment that is no UTF-8 does no harm', async () => {
  const { status, stdout } = await run(['import', 'igmpproxy', file(Buffer.from(`# K\u00fcche\n${GOOD}`, 'latin1'))]);
  expect(status).toBe(0);
  expect(checkConfigText(stdout).problems).toEqual([]);
});

test.each([
  ['another format', ['import', 'pimd', 'x'], 2, /Allowed choices are igmpproxy, smcroute/],
  ['no file', ['import', 'igmpproxy'], 2, /missing required argument 'file'/],
  [
    'a file that is not there',
    ['import', 'igmpproxy', '/nonexistent/old.conf'],
    1,
    /xmcastctl: read \/nonexistent\/old\.conf: ENOENT/,
  ],
  ['a folder', ['import', 'igmpproxy', '/'], 1, /xmcastctl: read \/: EISDIR/],
  ['a file without end', ['import', 'igmpproxy', '/dev/zero'], 1, new RegExp(`more than ${MAX_IMPORT_BYTES} bytes`)],
])('%s', async (_, argv, expected, message) => {
  const { status, stdout, stderr } = await run(argv);
  expect({ status, stdout }).toEqual({ status: expected, stdout: '' });
  expect(stderr).toMatch(message);
});
