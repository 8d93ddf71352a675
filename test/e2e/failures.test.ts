/**
 * What keeps xmcastd from running: one message that names what was attempted, on what, and why; one line with the cure; the exit status
 * of docs/errors.md; and nothing left behind.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 */
import { existsSync } from 'node:fs';
import { machine } from 'node:os';
import { join } from 'node:path';
import { productVersion } from '../../control/paths';
import { run } from '../lab/command';
import { eventually } from '../lab/eventually';
import type { LabProcess } from '../lab/lab-process';
import { inRepository } from '../lab/repository';
import { createStar, type Star } from '../lab/star';
import { launchDaemon, xdpProgramOn, XMCASTD, type LaunchOptions } from './launch';
import { shownInterface } from './shown';

jest.setTimeout(60_000);

const NOBODY = '65534';

let star: Star;
let socketPath: string;
let pinPath: string;

beforeAll(async () => {
  star = await createStar('failures', [{ name: 'host' }]);
  socketPath = join(star.lab.directory, 'failures.sock');
  pinPath = `/sys/fs/bpf/xmcast-${star.lab.id}-failures`;
  star.lab.removeOnClose(pinPath);
});
afterAll(async () => star?.lab.close());

function launch(attempt: LaunchOptions): LabProcess {
  return launchDaemon(star, { socketPath, pinPath, ...attempt });
}

/** Resolves with what it said on its standard error output. Fails when it ends with another status, or not at all. */
async function expectExit(child: LabProcess, status: number): Promise<string> {
  await eventually(() => child.hasExited, { what: `${child.name} ends`, timeoutMs: 20_000, intervalMs: 50 });
  expect({ ...(await child.exited), stderr: child.stderr }).toMatchObject({ code: status });
  return child.stderr;
}

/** Two parts: "xmcastd: CODE: message", then the cure, indented. Resolves with both. */
async function expectFailure(attempt: LaunchOptions, code: string, status: number): Promise<{ message: string; hint: string }> {
  const stderr = await expectExit(launch(attempt), status);
  const parts = /^xmcastd: ([A-Z_]+): ([^]*)\n {2}(\S.*)\n$/.exec(stderr);
  expect({ code: parts?.[1], stderr }).toMatchObject({ code });
  expect(stderr).not.toMatch(/\n\s+at /);
  await expectNothingLeft();
  return { message: parts?.[2] ?? '', hint: parts?.[3] ?? '' };
}

async function expectNothingLeft(): Promise<void> {
  expect({ pins: existsSync(pinPath), socket: existsSync(socketPath) }).toEqual({ pins: false, socket: false });
  for (const name of ['up0', 'lan1']) expect({ name, program: await xdpProgram(name) }).toEqual({ name, program: undefined });
}

function xdpProgram(name: string): Promise<number | undefined> {
  return xdpProgramOn(star.router, name);
}

/** A sound object that has nothing to do with xmcast; its program lets everything pass. */
async function otherProgram(): Promise<string> {
  const object = join(star.lab.directory, 'other.bpf.o');
  const source = 'char LICENSE[] __attribute__((section("license"), used)) = "GPL";';
  const program = '__attribute__((section("xdp"), used)) int other(void *ctx) { return 2; }';
  await run(['clang', '-O2', '-g', '-target', 'bpf', '-x', 'c', '-c', '-o', object, '-'], { input: `${source}\n${program}\n` });
  return object;
}

describe('privileges', () => {
  test('an unprivileged user: the missing capabilities by name', async () => {
    const through = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const { message, hint } = await expectFailure({ through }, 'XM_PRIVILEGE', 4);
    expect(message).toContain('CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_PERFMON');
    expect(hint).toContain('root');
  });

  test('root without one capability: that one', async () => {
    const { message } = await expectFailure({ through: ['setpriv', '--bounding-set=-net_raw'] }, 'XM_PRIVILEGE', 4);
    expect(message).toContain('lacks CAP_NET_RAW');
    expect(message).not.toContain('CAP_BPF');
  });
});

describe('bpffs', () => {
  /** A mount namespace of its own: what is unmounted here stays mounted everywhere else. */
  const withoutBpffs = (rest: string): readonly string[] => [
    'unshare',
    '--mount',
    'sh',
    '-ec',
    `umount -l /sys/fs/bpf; ${rest}`,
    'sh',
  ];

  test('pins outside a bpffs', async () => {
    const elsewhere = join(star.lab.directory, 'pins');
    const { message, hint } = await expectFailure({ config: { dataplane: { pin_path: elsewhere } } }, 'XM_BPFFS', 5);
    expect(message).toContain(`${elsewhere} for pins: ${star.lab.directory} is not on a bpffs`);
    expect(hint).toMatch(/mount -t bpf bpf \/sys\/fs\/bpf.*dataplane\.pin_path/);
    expect(existsSync(elsewhere)).toBe(false);
  });

  test('none is mounted and none may be', async () => {
    const through = withoutBpffs('exec setpriv --bounding-set=-sys_admin "$@"');
    const { message, hint } = await expectFailure({ through }, 'XM_BPFFS', 5);
    expect(message).toMatch(/mount a bpffs at \/sys\/fs\/bpf: .*EPERM/);
    expect(hint).toContain('mount -t bpf bpf /sys/fs/bpf');
  });

  test('none is mounted: it is mounted, and the daemon runs', async () => {
    const child = launch({ through: withoutBpffs('exec "$@"') });
    await eventually(() => child.stdout.includes('xmcastd is ready') || child.hasExited, {
      what: 'xmcastd is ready',
      timeoutMs: 20_000,
    });
    expect(child.describeEnd()).toContain('is running');
    expect((await run(['stat', '-f', '-c', '%T', `/proc/${child.pid}/root${pinPath}`])).trim()).toBe('bpf_fs');
    child.signal('SIGTERM');
    await expectExit(child, 0);
    await expectNothingLeft();
  });
});

describe('interfaces', () => {
  const interfaces = [{ name: 'up0', upstream: true }, { name: 'lan1' }, { name: 'later0' }];

  test('one that does not exist, with --require-interfaces', async () => {
    const { message, hint } = await expectFailure(
      { config: { interfaces }, extra: ['--require-interfaces'] },
      'XM_INTERFACE',
      12,
    );
    expect(message).toContain('find interface later0');
    expect(hint).toContain('ip link');
  });

  test('one that does not exist, without: a warning, and it is shown as absent', async () => {
    const daemon = await star.start({ interfaces, dataplane: { keep_on_stop: false } });
    expect(await shownInterface(daemon, 'later0')).toMatchObject({
      status: 'STATUS_ABSENT',
      mode: 'MODE_NONE',
      problem: expect.stringContaining('later0'),
    });
    expect(await shownInterface(daemon, 'lan1')).toMatchObject({ status: 'STATUS_FORWARDING', mode: 'MODE_XDP', problem: '' });
    const warnings = daemon.process.stdout.split('\n').filter((line) => line.includes('"level":40'));
    expect(warnings).toEqual([expect.stringContaining('find interface later0: no such interface here')]);
    expect(await daemon.stop()).toMatchObject({ code: 0 });
    await expectNothingLeft();
  });

  test('another program sits on one: its id, and it stays', async () => {
    const pinned = `/sys/fs/bpf/xmcast-${star.lab.id}-other`;
    star.lab.removeOnClose(pinned);
    await run(['bpftool', 'prog', 'load', await otherProgram(), pinned, 'type', 'xdp']);
    await star.router.run(['bpftool', 'net', 'attach', 'xdpdrv', 'pinned', pinned, 'dev', 'lan1']);
    try {
      const id = await xdpProgram('lan1');
      const stderr = await expectExit(launch({}), 7);
      expect(stderr).toMatch(
        /^xmcastd: XM_XDP_BUSY: attach XDP to lan1 \(native\): E(BUSY|EXIST); program \d+ is already there\n {2}\S.*ip link set dev lan1 xdp off/,
      );
      expect(stderr).toContain(`program ${id} `);
      expect(await xdpProgram('lan1')).toBe(id);
    } finally {
      // The cure, as the message has it.
      await star.router.run(['ip', 'link', 'set', 'dev', 'lan1', 'xdp', 'off']);
    }
    await expectNothingLeft();
  });

  test('one whose driver has no native XDP', async () => {
    await star.router.run(['ip', 'link', 'add', 'br0', 'type', 'bridge']);
    try {
      const { message, hint } = await expectFailure(
        { config: { interfaces: [...interfaces.slice(0, 2), { name: 'br0' }] } },
        'XM_PORT_UNSUPPORTED',
        8,
      );
      expect(message).toMatch(/attach XDP to br0 \(native\): .*EOPNOTSUPP/);
      expect(hint).toContain('ethtool -i br0');
    } finally {
      await star.router.run(['ip', 'link', 'delete', 'br0']);
    }
  });
});

describe('listeners', () => {
  test('the metrics port is taken', async () => {
    const script = "require('node:net').createServer().listen(9469, '127.0.0.1', () => console.log('listening'))";
    const other = star.lab.spawn(star.router, [process.execPath, '-e', script]);
    await eventually(() => other.stdout.includes('listening'), { what: 'the port is taken' });
    const { message, hint } = await expectFailure({}, 'XM_ADDRESS_IN_USE', 9);
    expect(message).toContain('listen for metrics on 127.0.0.1:9469: EADDRINUSE');
    expect(hint).toContain('metrics.listen');
    await other.terminate();
  });

  test('the metrics address is nobody’s here', async () => {
    const { message } = await expectFailure({ config: { metrics: { listen: '192.0.2.1:9469' } } }, 'XM_CONFIG', 3);
    expect(message).toContain('192.0.2.1:9469: EADDRNOTAVAIL');
  });

  test('a live daemon holds the socket of the API, or the pins: it is not disturbed', async () => {
    const daemon = await star.start({ dataplane: { keep_on_stop: false } });
    const other = await star.lab.namespace('other');
    const elsewhere = { interfaces: [{ name: 'none0' }], metrics: { listen: 'off' } };
    // Only the exit and the words: the interfaces and the pins that are left are the first daemon's by right.
    const socketTaken = await expectExit(
      launch({ config: { ...elsewhere, api: { socket: daemon.socketPath } }, where: other }),
      9,
    );
    expect(socketTaken).toMatch(/^xmcastd: XM_ADDRESS_IN_USE: .*\n {2}\S.*api\.socket/);
    expect(socketTaken).toContain(daemon.socketPath);
    const pinsTaken = await expectExit(
      launch({ config: { ...elsewhere, dataplane: { pin_path: daemon.pinPath } }, where: other }),
      10,
    );
    expect(pinsTaken).toMatch(/^xmcastd: XM_ALREADY_RUNNING: .*\n {2}\S.*dataplane\.pin_path/);
    expect(pinsTaken).toContain(daemon.pinPath);
    expect(await shownInterface(daemon, 'lan1')).toMatchObject({ status: 'STATUS_FORWARDING' });
    expect({ pins: existsSync(join(daemon.pinPath, 'current', 'xm_routes')), program: await xdpProgram('lan1') }).toEqual({
      pins: true,
      program: expect.any(Number),
    });
    expect(await daemon.stop()).toMatchObject({ code: 0 });
  });
});

describe('configuration', () => {
  test('text that is no YAML: the place', async () => {
    const { message, hint } = await expectFailure({ config: 'interfaces:\n  - name: [up0\n' }, 'XM_CONFIG', 3);
    expect(message).toMatch(/xmcastd-\d+\.yaml:\d+:\d+: \S/);
    expect(hint).toContain('docs/configuration.md');
  });

  test('several problems: all of them, each with its place', async () => {
    const { message } = await expectFailure(
      { config: 'interfaces:\n  - name: up0\n    upstram: true\nigmp:\n  version: 4\n' },
      'XM_CONFIG',
      3,
    );
    expect(message).toMatch(/xmcastd-\d+\.yaml:3:5: interfaces\[0\]\.upstram: .*upstream/);
    expect(message).toMatch(/xmcastd-\d+\.yaml:5:12: igmp\.version: /);
  });

  test('no such file', async () => {
    const child = star.lab.spawn(star.router, [XMCASTD, '--config', '/run/xmcast-lab/nowhere.yaml']);
    expect(await expectExit(child, 3)).toMatch(
      /^xmcastd: XM_CONFIG: read configuration \/run\/xmcast-lab\/nowhere\.yaml: ENOENT; no such file\n {2}\S/,
    );
  });

  test('--check: a good file, a bad one; nothing is started', async () => {
    const good = launch({ extra: ['--check'], through: ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] });
    expect(await expectExit(good, 0)).toBe('');
    expect(good.stdout).toMatch(/xmcastd-\d+\.yaml: the configuration is valid\n$/);
    expect((await expectFailure({ config: { igmp: { robustness: 99 } }, extra: ['--check'] }, 'XM_CONFIG', 3)).message).toContain(
      'igmp.robustness',
    );
  });
});

describe('eBPF object', () => {
  test('there is none', async () => {
    const { message, hint } = await expectFailure({ extra: ['--bpf-object', '/run/xmcast-lab/nothing.o'] }, 'XM_BPF_LOAD', 6);
    expect(message).toMatch(/open the eBPF object \/run\/xmcast-lab\/nothing\.o: .*ENOENT/);
    expect(hint).toContain('--bpf-object');
  });

  test('it is of another version: what it lacks', async () => {
    const older = join(star.lab.directory, 'older.bpf.o');
    const compile = [
      'clang',
      '-O2',
      '-g',
      '-target',
      'bpf',
      '-mcpu=v3',
      `-I/usr/include/${machine()}-linux-gnu`,
      '-Drx_bytes=rx_octets',
    ];
    await run([...compile, '-c', inRepository('bpf/xmcast.bpf.c'), '-o', older]);
    const { message, hint } = await expectFailure({ extra: ['--bpf-object', older] }, 'XM_BPF_LOAD', 6);
    expect(message).toContain('struct xm_vport_counters has no member rx_bytes');
    expect(hint).toContain('different versions');
  });

  test('it is of another program', async () => {
    const { message, hint } = await expectFailure({ extra: ['--bpf-object', await otherProgram()] }, 'XM_BPF_LOAD', 6);
    expect(message).toMatch(/xm_/i);
    expect(hint).not.toBe('');
  });
});

describe('command line', () => {
  async function spoken(argv: readonly string[], status: number): Promise<LabProcess> {
    const child = star.lab.spawn(star.router, [XMCASTD, ...argv]);
    await expectExit(child, status);
    return child;
  }

  test.each([[['--confg', 'x']], [['--config']], [['surplus']]])('%j is a usage error', async (argv) => {
    const child = await spoken(argv, 2);
    expect(child.stderr).toMatch(/^error: .*\n/);
    expect(child.stdout).toBe('');
  });

  test('--help and --version end well', async () => {
    const help = await spoken(['--help'], 0);
    expect(help.stdout).toMatch(/^Usage: xmcastd .*/);
    for (const option of ['--config', '--check', '--require-interfaces', '--bpf-object']) expect(help.stdout).toContain(option);
    expect((await spoken(['--version'], 0)).stdout).toBe(`${productVersion()}\n`);
  });
});
