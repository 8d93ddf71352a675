import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

import { flowState, ip } from '../api/fake-state';
import { CliUnderTest } from './cli-under-test';

let cli: CliUnderTest;

beforeEach(async () => {
  cli = await new CliUnderTest().start();
});

afterEach(() => cli.close());

describe('filters', () => {
  beforeEach(() => {
    cli.state.flowStates = [
      flowState(),
      flowState({ group: ip('239.2.0.1'), source: ip('10.9.0.1'), incomingInterface: 'eth5', outgoingInterfaces: ['eth6'] }),
    ];
  });

  test.each([
    [['--group', '239.2.0.0/16'], '239.2.0.1'],
    [['--source', '10.9.0.1'], '239.2.0.1'],
    [['--interface', 'eth5'], '239.2.0.1'],
    [['--interface', 'eth2'], '239.1.1.1'],
  ])('flows %j', async (filter, group) => {
    const { flows } = JSON.parse((await cli.run(['flows', '-o', 'json', ...filter])).stdout) as { flows: { group: string }[] };
    expect(flows.map((flow) => flow.group)).toEqual([group]);
  });

  test('--fresh false takes the last read', async () => {
    await cli.run(['flows', '--fresh', 'false']);
    expect(cli.state.refreshes).toBe(0);
  });

  test('nothing matches: status 3, said on stderr, JSON still a document', async () => {
    expect(await cli.run(['flows', '--group', '239.3.3.3'])).toEqual({
      status: 3,
      stdout: '',
      stderr: 'xmcastctl: no flows match --group 239.3.3.3\n',
    });
    expect(await cli.run(['interfaces', '-i', 'eth7', '-o', 'json'])).toMatchObject({
      status: 3,
      stdout: '{\n  "interfaces": []\n}\n',
    });
  });
});

describe('usage', () => {
  test.each([
    [['flows', '--group', '239.1.1.1/16'], 'group: "239.1.1.1/16"'],
    [['flows', '--fresh', 'maybe'], '"maybe" is neither true nor false'],
    [['flows', '-o', 'xml'], 'table, wide, json, jsonl, yaml'],
    [['flows', '--sort', 'colour'], 'group, source, from, packets, bytes, pps, rate'],
    [['interfaces', '--sort', 'name'], "unknown option '--sort'"],
    [['reports', '--group', '239.1.1.1/16'], 'group: "239.1.1.1/16"'],
    [['flows', '--timeout', '0'], '"0" is no time'],
    [['flows', '--target', 'localhost'], 'write unix:///path'],
    [['flows', '--target', 'localhost:9000'], 'give --tls-ca, --tls-cert and --tls-key'],
    [['memberships', '--source', '10.0.0.0/8'], 'is no IPv4 address'],
    [['drop'], "unknown command 'drop'"],
    [['flows', 'extra'], 'too many arguments'],
    [['flows', '--colour'], "unknown option '--colour'"],
  ])('%j exits with 2', async (argv, words) => {
    const { status, stdout, stderr } = await cli.run(argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(words);
  });

  test('a bad XMCAST_TARGET is named as such', async () => {
    const outcome = await cli.run(['status'], { env: { XMCAST_TARGET: 'localhost' } });
    expect(outcome).toMatchObject({ status: 2, stderr: expect.stringContaining('XMCAST_TARGET: "localhost"') });
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../../package.json'), 'utf8')) as { version: string };
    expect(await cli.run(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('--help exits with 0 and names the exit statuses', async () => {
    expect(await cli.run(['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('4 xmcastd cannot be reached'),
    });
  });
});

describe('failures', () => {
  test('no socket: names path, cause and cure', async () => {
    const { status, stderr } = await cli.run(['status', '--target', `unix://${cli.folder}/none.sock`, '--timeout', '2']);
    expect(status).toBe(4);
    expect(stderr).toBe(
      `xmcastctl: cannot reach xmcastd at ${cli.folder}/none.sock: ENOENT, there is no socket. ` +
        'Start it (systemctl start xmcastd), or name its socket with --target.\n',
    );
  });

  test('something that is no socket', async () => {
    writeFileSync(path.join(cli.folder, 'file'), '');
    const { status, stderr } = await cli.run(['status', '--target', `unix:${cli.folder}/file`]);
    expect(status).toBe(4);
    expect(stderr).toContain('ECONNREFUSED');
  });

  test('a socket that never answers: the timeout, not for ever', async () => {
    const mute = createServer();
    const at = path.join(cli.folder, 'mute.sock');
    await new Promise<void>((resolve) => mute.listen(at, resolve));
    const held: { destroy(): void }[] = [];
    mute.on('connection', (socket) => held.push(socket.on('error', () => undefined)));
    const { status, stderr } = await cli.run(['status', '--target', `unix://${at}`, '--timeout', '300ms']);
    expect(status).toBe(4);
    expect(stderr).toMatch(/mute\.sock/);
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });

  test('a failure inside the daemon exits with 1', async () => {
    cli.state.onRefresh = () => Promise.reject(new Error('EBADF'));
    const { status, stderr } = await cli.run(['flows']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^xmcastctl: INTERNAL: /);
  });
});

test.each([
  'status', 'interfaces', 'neighbors', 'memberships', 'reports', 'routes', 'flows', 'events', 'top', 'trace', 'capabilities', 'reset', 'log-level', 'health',
])('%s --help has examples', async (name) => {
  const { status, stdout } = await cli.run([name, '--help']);
  expect(status).toBe(0);
  expect(stdout).toMatch(new RegExp(`^Examples:\n {2}xmcastctl ${name}\\b`, 'm'));
});
