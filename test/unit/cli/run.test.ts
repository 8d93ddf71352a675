import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { type ApiServer, startApiServer } from '../../../control/api/server';
import { type CliIo, runCli } from '../../../control/cli/run';
import { FakeState, flowState, interfaceState, ip, manyFlows, membershipState, routeState } from '../api/fake-state';
import { RecordedLog } from '../api/recorded-log';

let folder: string;
let socketPath: string;
let state: FakeState;
let server: ApiServer;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-cli-'));
  socketPath = path.join(folder, 'control.sock');
  state = new FakeState();
  server = await startApiServer({ socketPath, state, log: new RecordedLog() });
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(argv: readonly string[], io: Partial<CliIo> = {}): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const status = await runCli(argv, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: { XMCAST_TARGET: `unix://${socketPath}` },
    isTerminal: false,
    ...io,
  });
  return { status, stdout, stderr };
}

function lines(text: string): string[] {
  return text.trimEnd().split('\n');
}

describe('tables', () => {
  test('status', async () => {
    state.statusState = { ...state.statusState, startedAtMs: Date.now() - 125_000, conditions: ['eth3: no native XDP'] };
    const { status, stdout } = await run(['status']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Version: +0\.1\.0-test$/m);
    expect(stdout).toMatch(/^Uptime: +2m0[56]s$/m);
    expect(stdout).toMatch(/^Routes: +2 of 4,096$/m);
    expect(stdout).toMatch(/^ {2}! eth3: no native XDP$/m);
  });

  test('interfaces, with the problem beneath', async () => {
    state.interfaceStates = [
      interfaceState({
        rxPackets: 1_234_567n,
        rxBytes: 1_624_690_172n,
        drops: new Map([
          ['ttl_expired', 3n],
          ['no_route', 4n],
        ]),
      }),
      interfaceState({
        name: 'eth9',
        role: 'upstream',
        status: 'no-address',
        problem: 'eth9 has no IPv4 address',
        addresses: [],
        querier: undefined,
      }),
    ];
    const [head, first, second, problem] = lines((await run(['interfaces'])).stdout);
    expect(head?.split(/ {2,}/)).toEqual([
      'NAME',
      'ROLE',
      'STATUS',
      'MODE',
      'ADDRESS',
      'RX PACKETS',
      'RX BYTES',
      'TX PACKETS',
      'TX BYTES',
      'DROPS',
      'QUERIER',
    ]);
    expect(first?.split(/ {2,}/)).toEqual([
      'eth1',
      'downstream',
      'forwarding',
      'xdp',
      '10.1.0.1/24',
      '1,234,567',
      '1.62 GB',
      '0',
      '0 B',
      '7',
      'self, IGMPv3',
    ]);
    expect(second).toMatch(/^eth9 +upstream +no-address +xdp +- /);
    expect(problem).toBe('eth9: eth9 has no IPv4 address');
  });

  test('one interface shows its counters by reason', async () => {
    state.interfaceStates = [interfaceState({ drops: new Map([['ttl_expired', 3n]]), igmpReceived: new Map([['leave', 12n]]) })];
    const { stdout } = await run(['interfaces', '-i', 'eth1']);
    expect(stdout).toMatch(/^dropped +ttl_expired +3$/m);
    expect(stdout).toMatch(/^igmp received +leave +12$/m);
  });

  test('memberships: the longest source timer stands for an INCLUDE group', async () => {
    const sources = [1, 2, 3, 4, 5, 6].map((host) => ({
      source: ip('10.0.0.0') + host,
      forwarded: host !== 2,
      timerMs: host * 10_000,
    }));
    state.membershipStates = [
      membershipState(),
      membershipState({ group: ip('232.1.1.1'), mode: 'include', groupTimerMs: undefined, sources }),
    ];
    const [, ssm, asm] = lines((await run(['memberships'])).stdout);
    expect(ssm).toMatch(
      /^eth1 +232\.1\.1\.1 +include +IGMPv3 +1m00s +1m01s +10\.1\.0\.9 +10\.0\.0\.1 -10\.0\.0\.2 10\.0\.0\.3 10\.0\.0\.4 and 2 more$/,
    );
    expect(asm).toMatch(/^eth1 +239\.1\.1\.1 +exclude +IGMPv3 +2m05s /);
  });

  test('routes', async () => {
    state.routeStates = [
      routeState(),
      routeState({ source: 0, incomingInterface: '', outgoingInterfaces: [], installed: false, problem: 'table full' }),
    ];
    const [, star, sg] = lines((await run(['routes'])).stdout);
    expect(star).toMatch(/^\* +239\.1\.1\.1 +any +- +5s +no: table full$/);
    expect(sg).toMatch(/^10\.0\.0\.5 +239\.1\.1\.1 +eth0 +eth1 +5s +yes$/);
  });

  test('flows: columns line up, numbers to the right', async () => {
    state.flowStates = [flowState(), flowState({ group: ip('239.1.1.2'), packets: 2n ** 64n - 1n, bitsPerSecond: 12_345_678 })];
    const [head, first, second] = lines((await run(['flows'])).stdout);
    const end = (head ?? '').indexOf('PACKETS') + 'PACKETS'.length;
    expect(first?.slice(0, end)).toMatch(/ 1,000$/);
    expect(second?.slice(0, end)).toMatch(/ 18,446,744,073,709,551,615$/);
    expect(second).toContain('12.3 Mb/s');
    expect(state.refreshes).toBe(1);
  });

  test('escape sequences in names do not reach the terminal', async () => {
    state.flowStates = [flowState({ incomingInterface: '\u001b[31mred\u009b' })];
    const { stdout } = await run(['flows'], { isTerminal: true, env: { XMCAST_TARGET: `unix://${socketPath}`, NO_COLOR: '1' } });
    expect(stdout).toContain('?[31mred?');
    expect(stdout).not.toContain('\u001b');
  });

  test('titles are bold on a terminal only, and NO_COLOR is obeyed', async () => {
    expect((await run(['flows'], { isTerminal: true })).stdout).toContain('\u001b[1mSOURCE');
    expect((await run(['flows'])).stdout).not.toContain('\u001b');
  });
});

describe('JSON', () => {
  test('flows: one canonical document over all pages', async () => {
    state.flowStates = [...manyFlows(5001), flowState({ source: 0, group: ip('239.255.0.1'), packets: 2n ** 64n - 1n })];
    const { stdout } = await run(['flows', '-o', 'json']);
    const { flows } = JSON.parse(stdout) as { flows: Record<string, unknown>[] };
    expect(flows).toHaveLength(5002);
    expect(flows.at(-1)).toEqual({
      source: '*',
      group: '239.255.0.1',
      incomingInterface: 'eth0',
      outgoingInterfaces: ['eth1', 'eth2'],
      packets: '18446744073709551615',
      bytes: '1316000',
      replicatedPackets: '2000',
      replicatedBytes: '2632000',
      wrongInterfacePackets: '0',
      ttlDroppedPackets: '0',
      packetsPerSecond: 950.5,
      bitsPerSecond: 10_006_864,
      readTime: '2023-11-14T22:15:00Z',
      expectedPackets: '2000',
      failedPackets: '0',
      droppedPackets: '0',
      skippedPackets: '0',
    });
  });

  test('enums by name, durations as text, absent messages absent', async () => {
    state.interfaceStates = [
      interfaceState({ name: 'eth0', role: 'upstream', querier: undefined, drops: new Map([['ttl', 1n]]) }),
    ];
    state.membershipStates = [membershipState({ sources: [{ source: ip('10.0.0.5'), forwarded: false, timerMs: 0 }] })];
    const { interfaces } = JSON.parse((await run(['-o', 'json', 'interfaces'])).stdout) as {
      interfaces: Record<string, unknown>[];
    };
    expect(interfaces[0]).toMatchObject({
      role: 'ROLE_UPSTREAM',
      mode: 'MODE_XDP',
      drops: { ttl: '1' },
      punts: {},
      txBytes: '0',
      problem: '',
    });
    expect(interfaces[0]).not.toHaveProperty('querier');
    const { memberships } = JSON.parse((await run(['memberships', '-o', 'json'])).stdout) as {
      memberships: Record<string, unknown>[];
    };
    expect(memberships[0]).toMatchObject({
      filterMode: 'FILTER_MODE_EXCLUDE',
      expiresIn: '125.500s',
      sources: [{ source: '10.0.0.5', forwarded: false, expiresIn: '0s' }],
    });
  });

  test('an empty list is an empty list', async () => {
    expect(await run(['routes', '-o', 'json'])).toEqual({ status: 0, stdout: '{\n  "routes": []\n}\n', stderr: '' });
  });

  test('status is the message itself', async () => {
    expect(JSON.parse((await run(['status', '-o', 'json'])).stdout)).toMatchObject({
      version: '0.1.0-test',
      ready: true,
      routesRefused: '0',
    });
  });
});

describe('filters', () => {
  beforeEach(() => {
    state.flowStates = [
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
    const { flows } = JSON.parse((await run(['flows', '-o', 'json', ...filter])).stdout) as { flows: { group: string }[] };
    expect(flows.map((flow) => flow.group)).toEqual([group]);
  });

  test('--fresh false takes the last read', async () => {
    await run(['flows', '--fresh', 'false']);
    expect(state.refreshes).toBe(0);
  });

  test('nothing matches: status 3, said on stderr, JSON still a document', async () => {
    expect(await run(['flows', '--group', '239.3.3.3'])).toEqual({
      status: 3,
      stdout: '',
      stderr: 'xmcastctl: no flows match --group 239.3.3.3\n',
    });
    expect(await run(['interfaces', '-i', 'eth7', '-o', 'json'])).toMatchObject({
      status: 3,
      stdout: '{\n  "interfaces": []\n}\n',
    });
  });
});

describe('usage', () => {
  test.each([
    [['flows', '--group', '239.1.1.1/16'], 'group: "239.1.1.1/16"'],
    [['flows', '--fresh', 'maybe'], '"maybe" is neither true nor false'],
    [['flows', '-o', 'xml'], 'table, json'],
    [['flows', '--timeout', '0'], '"0" is no time'],
    [['flows', '--target', 'localhost:9000'], 'write unix:///path'],
    [['memberships', '--source', '10.0.0.0/8'], 'is no IPv4 address'],
    [['drop'], "unknown command 'drop'"],
    [['flows', 'extra'], 'too many arguments'],
    [['flows', '--colour'], "unknown option '--colour'"],
  ])('%j exits with 2', async (argv, words) => {
    const { status, stdout, stderr } = await run(argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(words);
  });

  test('a bad XMCAST_TARGET is named as such', async () => {
    const outcome = await run(['status'], { env: { XMCAST_TARGET: 'localhost:1' } });
    expect(outcome).toMatchObject({ status: 2, stderr: expect.stringContaining('XMCAST_TARGET: "localhost:1"') });
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(path.join(__dirname, '../../../package.json'), 'utf8')) as { version: string };
    expect(await run(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('--help exits with 0 and names the exit statuses', async () => {
    expect(await run(['--help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('4 xmcastd cannot be reached') });
  });
});

describe('failures', () => {
  test('no socket: names path, cause and cure', async () => {
    const { status, stderr } = await run(['status', '--target', `unix://${folder}/none.sock`, '--timeout', '2']);
    expect(status).toBe(4);
    expect(stderr).toBe(
      `xmcastctl: cannot reach xmcastd at ${folder}/none.sock: ENOENT, there is no socket. ` +
        'Start it (systemctl start xmcastd), or name its socket with --target.\n',
    );
  });

  test('something that is no socket', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    const { status, stderr } = await run(['status', '--target', `unix:${folder}/file`]);
    expect(status).toBe(4);
    expect(stderr).toContain('ECONNREFUSED');
  });

  test('a socket that never answers: the timeout, not for ever', async () => {
    const mute = createServer();
    const at = path.join(folder, 'mute.sock');
    await new Promise<void>((resolve) => mute.listen(at, resolve));
    const held: { destroy(): void }[] = [];
    mute.on('connection', (socket) => held.push(socket.on('error', () => undefined)));
    const { status, stderr } = await run(['status', '--target', `unix://${at}`, '--timeout', '300ms']);
    expect(status).toBe(4);
    expect(stderr).toMatch(/mute\.sock/);
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });

  test('a failure inside the daemon exits with 1', async () => {
    state.onRefresh = () => Promise.reject(new Error('EBADF'));
    const { status, stderr } = await run(['flows']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^xmcastctl: INTERNAL: /);
  });
});

test('--watch prints until it is stopped', async () => {
  const stop = new AbortController();
  let printed = 0;
  state.flowStates = [flowState()];
  const stdout = {
    write: () => {
      printed += 1;
      if (printed === 3) stop.abort();
    },
  };
  const { status } = await run(['flows', '--watch', '1ms', '-o', 'json'], { stdout, signal: stop.signal });
  expect({ status, printed }).toEqual({ status: 0, printed: 3 });
});
