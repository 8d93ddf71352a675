/**
 * xmcastctl config …, against a server whose manager keeps its revisions on a disk in memory.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { type ApiServer, startApiServer } from '../../../control/api/server';
import { type CliIo, runCli } from '../../../control/cli/run';
import { FakeState } from '../api/fake-state';
import { type Bench, content, numbered, request, start } from '../config-transactions/bench';

let folder: string;
let bench: Bench;
let server: ApiServer;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-config-cli-'));
  await serve(await start());
  await bench.manager.apply(request(numbered(2)));
});

afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

async function serve(next: Bench): Promise<void> {
  bench = next;
  server = await startApiServer({ socketPath: path.join(folder, 'control.sock'), state: new FakeState(), config: bench.manager, log: bench.log });
}

async function stop(): Promise<void> {
  await server.close();
  await bench.manager.close();
}

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function config(argv: readonly string[], io: Partial<CliIo> = {}): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const status = await runCli(['config', ...argv], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    isTerminal: false,
    ...io,
    env: { XMCAST_TARGET: `unix://${folder}/control.sock`, ...io.env },
  });
  return { status, stdout, stderr };
}

function file(text: string): string {
  const name = path.join(folder, 'given.yaml');
  writeFileSync(name, text);
  return name;
}

const YAML = 'interfaces:\n  - name: eth0\n    upstream: true\n  - name: eth1\n    ttl_threshold: 3\n';

test('get prints a file that can be applied, and json has the rest', async () => {
  const { status, stdout } = await config(['get']);
  expect({ status, head: stdout.split('\n')[0] }).toEqual({ status: 0, head: `# revision 1, etag ${numbered(2).etag}` });
  expect(content(stdout).etag).toBe(numbered(2).etag);
  const json = JSON.parse((await config(['get', '-o', 'json'])).stdout) as { revision: number; config: object };
  expect(json).toMatchObject({ revision: 1, etag: numbered(2).etag, source: 'CONFIG_SOURCE_API' });
  expect(content(JSON.stringify(json.config)).etag).toBe(numbered(2).etag);
});

test('diff and --dry-run say what would change and change nothing; apply does', async () => {
  const given = file(YAML);
  const said = await config(['diff', given]);
  expect(said.status).toBe(6);
  expect(said.stdout).toMatch(/^CHANGE +BEFORE +AFTER +EFFECT +MAY INTERRUPT\ninterfaces\[eth1\]\.ttl_threshold +2 +3 +live +-\n/);
  expect((await config(['apply', given, '--dry-run'])).stdout).toBe(said.stdout);
  expect(bench.router.runs).toBe(2);
  const done = await config(['apply', given, '--comment', 'evening']);
  expect({ status: done.status, last: done.stdout.trimEnd().split('\n').at(-1), runs: bench.router.runs }).toEqual({ status: 0, last: 'revision 2 runs', runs: 3 });
  expect(await config(['diff', given])).toMatchObject({ status: 0, stdout: 'the same as what runs\n' });
  expect(await config(['apply', given])).toMatchObject({ status: 0, stdout: 'nothing to change: revision 2 runs already\n' });
});

test('apply with a deadline, confirm, rollback, revisions', async () => {
  const applied = await config(['apply', file(YAML), '--confirm-timeout', '60']);
  expect(applied.stdout).toMatch(/^revision 2 runs and is taken back at 2023-11-14T22:14:20\.000Z unless: xmcastctl config confirm 2$/m);
  expect(await config(['set', 'log_level=debug'])).toMatchObject({ status: 5, stderr: expect.stringContaining('revision 2 waits to be confirmed') });
  expect(await config(['confirm'])).toMatchObject({ status: 0, stdout: 'revision 2 is confirmed\n' });
  expect((await config(['rollback', '--comment', 'no good'])).status).toBe(0);
  const lines = (await config(['revisions'])).stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.trim().split(/ {2,}/).slice(0, 2).join(' '))).toEqual(['REVISION STATE', '3 current', '2 applied', '1 applied']);
  expect(lines[1]).toMatch(/rollback to 1 +no good$/);
  expect(await config(['confirm'])).toMatchObject({ status: 5 });
  expect(await config(['rollback', '77'])).toMatchObject({ status: 3 });
});

test('standard input', async () => {
  const stdin = (async function* () {
    yield Buffer.from(YAML);
  })();
  expect((await config(['apply', '-'], { stdin })).status).toBe(0);
  expect(bench.router.runs).toBe(3);
});

test('problems come with line and column, the ones that only the daemon finds too', async () => {
  const given = file('interfaces:\n  - name: eth0\n    ttl_threshold: 300\n  - name: eth1\n    ttl-threshold: 2\n');
  for (const command of ['check', 'diff', 'apply']) {
    const { status, stderr } = await config([command, given]);
    expect(status).toBe(2);
    expect(stderr.split('\n').slice(0, 3)).toEqual([
      `${given}:3:20: interfaces[0].ttl_threshold: is 300; allowed is 1 to 255`,
      `${given}:5:5: interfaces[1].ttl-threshold: unknown key; did you mean "ttl_threshold"?`,
      `xmcastctl: ${given} has 2 problems; nothing was changed`,
    ]);
  }
  expect(await config(['check', file(YAML)])).toMatchObject({ status: 0, stdout: expect.stringContaining('the configuration is valid') });
  expect(await config(['check', '/nonexistent.yaml'])).toMatchObject({ status: 2, stderr: 'xmcastctl: read /nonexistent.yaml: ENOENT, there is no such file\n' });
});

describe('set', () => {
  test.each([
    ['a section’s value', ['igmp.query_interval=60s'], 'igmp.query_interval', '60s'],
    ['a value of an interface', ['interfaces[eth1].ttl_threshold=9'], 'interfaces[eth1].ttl_threshold', '9'],
    ['nothing', ['interfaces[eth1].ttl_threshold=null'], 'interfaces[eth1].ttl_threshold', ''],
    ['a new entry', ['interfaces[eth5]={ttl_threshold: 4}'], 'interfaces[eth5]', '{"name":"eth5","ttl_threshold":4}'],
    ['an entry less', ['interfaces[eth1]='], 'interfaces[eth1]', ''],
    ['a new entry below a path', ['static_routes[239.1.1.1].upstream=eth0'], 'static_routes[239.1.1.1]', '{"group":"239.1.1.1","upstream":"eth0"}'],
    ['a list', ['interfaces[eth1].boundaries=[239.255.0.0/16]'], 'interfaces[eth1].boundaries[239.255.0.0/16]', '239.255.0.0/16'],
    ['an entry of a set', ['interfaces[eth1].boundaries[239.255.0.0/16]=239.255.0.0/16'], 'interfaces[eth1].boundaries[239.255.0.0/16]', '239.255.0.0/16'],
  ])('%s', async (_what, assignments, at, after) => {
    const { status, stdout } = await config(['set', ...assignments, '-o', 'json']);
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { changes: object[] }).changes).toMatchObject([{ path: at, after }]);
  });

  test('several at once are one change', async () => {
    expect((await config(['set', 'igmp.robustness=3', 'interfaces[eth1].ttl_threshold=5'])).status).toBe(0);
    expect((await bench.manager.revisions()).map(({ id }) => id)).toEqual([2, 1]);
  });

  test.each([
    ['igmp.query_intervall=60s', /did you mean "query_interval"/],
    ['igmp', /no assignment/],
    ['igmp.version.x=1', /has no keys below it/],
    ['interfaces.name=x', /name an entry in brackets/],
    ['log_level[x]=1', /is no list/],
    ['igmp.access[0]={}', /set it as a whole/],
    ['a..b=1', /is no path/],
    ['igmp.query_interval=60', /expected a duration/],
    ['igmp.version=7', /allowed is 1 to 3/],
    ['interfaces[eth1]=7', /takes a mapping/],
    ['igmp={', /no YAML/],
  ])('%s is refused', async (assignment, why) => {
    const { status, stderr } = await config(['set', assignment]);
    expect(status).toBe(2);
    expect(stderr).toMatch(why);
    expect(bench.router.runs).toBe(2);
  });
});

describe('edit', () => {
  test('what the editor wrote is applied, and nothing is left lying about', async () => {
    const before = readdirSync(os.tmpdir()).filter((name) => name.startsWith('xmcastctl-'));
    const { status, stdout } = await config(['edit', '--comment', 'by hand'], { env: { EDITOR: 'sed -i s/threshold:.2/threshold:\\ 7/' } });
    expect({ status, runs: bench.router.runs, last: stdout.trimEnd().split('\n').at(-1) }).toEqual({ status: 0, runs: 7, last: 'revision 2 runs' });
    expect(readdirSync(os.tmpdir()).filter((name) => name.startsWith('xmcastctl-'))).toEqual(before);
  });

  test('without a change nothing happens; an editor that fails is an error', async () => {
    expect(await config(['edit'], { env: { EDITOR: 'true' } })).toMatchObject({ status: 0, stderr: 'nothing was edited\n' });
    expect(await config(['edit'], { env: { EDITOR: 'false' } })).toMatchObject({ status: 1 });
  });

  test('what is wrong is told, and the text is kept', async () => {
    const { status, stderr } = await config(['edit'], { env: { EDITOR: 'sed -i s/threshold:.2/threshold:\\ 999/' } });
    const kept = /^(\S+):5:20: interfaces\[1\]\.ttl_threshold/m.exec(stderr)?.[1] ?? '';
    expect({ status, text: readFileSync(kept, 'utf8') }).toEqual({ status: 2, text: expect.stringContaining('999') });
    rmSync(path.dirname(kept), { recursive: true });
  });
});

describe('a daemon with a file', () => {
  beforeEach(async () => {
    await stop();
    const given = file(YAML);
    await serve(await start({ file: given, readFile: async () => content(readFileSync(given, 'utf8')) }));
  });

  test('apply needs --takeover, reload --takeover gives it back', async () => {
    const other = path.join(folder, 'other.yaml');
    writeFileSync(other, YAML.replace('3', '8'));
    expect(await config(['apply', other])).toMatchObject({ status: 5, stderr: expect.stringContaining('decides here') });
    expect((await config(['get'])).stdout).toMatch(/^# read from .*given\.yaml, etag /);
    expect((await config(['apply', other, '--takeover'])).stdout).toMatch(/^revision 1 runs$/m);
    expect((await config(['reload'])).status).toBe(5);
    expect((await config(['reload', '--takeover'])).stdout).toMatch(/8 +3 +live[^]*^the file runs$/m);
  });
});

test('a usage error is one', async () => {
  for (const argv of [['get', '--revision', '0'], ['apply'], ['confirm', 'x'], ['apply', 'f', '--confirm-timeout', 'never']]) {
    expect((await config(argv)).status).toBe(2);
  }
});
