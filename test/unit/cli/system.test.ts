/** The commands about what happens and about the daemon itself. */
import type { CliIo } from '../../../control/cli/run';
import { parse } from 'yaml';
import { ip, neighborState } from '../api/fake-state';
import { CliUnderTest, linesOf } from './cli-under-test';

let cli: CliUnderTest;

beforeEach(async () => {
  cli = await new CliUnderTest().start();
  cli.events.report({ type: 'started', text: 'xmcastd is ready' });
  cli.events.report({ type: 'loop', severity: 'warn', subject: 'eth1', text: 'something returns' });
  cli.events.report({ type: 'interface-failed', severity: 'error', subject: 'eth2', text: 'attach XDP: \u001b[31mEBUSY' });
});

afterEach(() => cli.close());

describe('events', () => {
  test('a line for each, oldest first; what a terminal would obey is taken out', async () => {
    const [titles, ...lines] = await cli.lines('events');
    expect(titles).toMatch(/^TIME +SEVERITY +TYPE +SUBJECT +EVENT$/);
    expect(lines.map((line) => line.slice(21).split(/ {2,}/))).toEqual([
      ['info', 'started', '-', 'xmcastd is ready'],
      ['warning', 'loop', 'eth1', 'something returns'],
      ['error', 'interface-failed', 'eth2', 'attach XDP: ?[31mEBUSY'],
    ]);
  });

  test.each([
    [['--severity', 'warning'], ['loop', 'interface-failed']],
    [['--type', 'loop', 'started'], ['started', 'loop']],
    [['--about', 'eth1'], ['loop']],
    [['-n', '1'], ['interface-failed']],
    [['-n', '0'], ['started', 'loop', 'interface-failed']],
  ])('%j', async (options, types) => {
    const lines = linesOf((await cli.run(['events', '-o', 'jsonl', ...options])).stdout).map((line) => JSON.parse(line) as { type: string });
    expect(lines.map(({ type }) => type.slice('TYPE_'.length).toLowerCase().replaceAll('_', '-'))).toEqual(types);
  });

  test.each([['--severity', 'loud'], ['--type', 'party'], ['-n', 'all']])('%s %s is refused', async (option, value) => {
    expect(await cli.run(['events', option, value])).toMatchObject({ status: 2, stdout: '' });
  });

  test('--watch: those that are kept, then those that come, in colours of their severity on a terminal', async () => {
    const stop = new AbortController();
    let written = '';
    const stdout = {
      write: (text: string) => {
        written += text;
        if (text.includes('interface-failed')) cli.events.report({ type: 'notice', text: 'the next one' });
        if (text.includes('the next one')) stop.abort();
      },
    };
    expect(await cli.run(['events', '-w', '-n', '2'], { stdout, interrupted: () => stop.signal, isTerminal: true })).toMatchObject({ status: 0, stderr: '' });
    expect(linesOf(written).map((line) => /loop|failed|next one|SEVERITY/.exec(line)?.[0])).toEqual(['SEVERITY', 'loop', 'failed', 'next one']);
    expect(written).toContain('\u001b[31m');
    expect(written).toContain('\u001b[33m');
  });

  test('--watch without a terminal has no colours, and none with NO_COLOR', async () => {
    for (const io of [{ isTerminal: false }, { isTerminal: true, env: { XMCAST_TARGET: `unix://${cli.socketPath}`, NO_COLOR: '1' } }] satisfies Partial<CliIo>[]) {
      const stop = new AbortController();
      let written = '';
      const stdout = {
        write: (text: string) => {
          written += text;
          if (text.includes('failed')) stop.abort();
        },
      };
      await cli.run(['events', '-w'], { stdout, interrupted: () => stop.signal, ...io });
      expect(written).not.toContain('\u001b');
    }
  });
});

test('neighbors', async () => {
  cli.state.neighborStates = [neighborState(), neighborState({ interface: 'eth2', address: ip('10.2.0.7'), isQuerier: false, version: 2 })];
  expect(await cli.cells('neighbors')).toEqual([
    ['INTERFACE', 'ADDRESS', 'QUERIER', 'VERSION', 'LAST HEARD', 'EXPIRES', 'KNOWN FOR', 'QUERIES'],
    ['eth1', '10.1.0.2', 'yes', 'IGMPv3', '5s', '4m10s', '10m00s', '6'],
    ['eth2', '10.2.0.7', 'no', 'IGMPv2', '5s', '4m10s', '10m00s', '6'],
  ]);
  expect((await cli.run(['neighbors', '-i', 'eth9'])).status).toBe(3);
});

describe('trace', () => {
  test('each decision, and the outcome as exit status', async () => {
    const { status, stdout } = await cli.run(['trace', '239.1.1.1', '-s', '10.0.0.5', '-i', 'eth0', '--ttl', '1', '--size', '100', '--host', '10.1.0.9']);
    expect(status).toBe(6);
    expect(linesOf(stdout)).toEqual([
      'STAGE          INTERFACE  DECISION',
      'packet   ok    -          a packet',
      'arrival  DROP  eth0       TTL 1 is used up',
      '',
      'Not forwarded: TTL 1 is used up.',
    ]);
    expect(cli.control.asked).toEqual([{ group: ip('239.1.1.1'), source: ip('10.0.0.5'), interface: 'eth0', ttl: 1, bytes: 100, host: ip('10.1.0.9') }]);
  });

  test('what is not said is as usual', async () => {
    cli.control.traceResult = { ...cli.control.traceResult, forwarded: true };
    expect((await cli.run(['trace', '239.1.1.1'])).status).toBe(0);
    expect(cli.control.asked).toEqual([{ group: ip('239.1.1.1'), source: 0, interface: undefined, ttl: 64, bytes: 1400, host: undefined }]);
  });

  test.each([
    [['trace']],
    [['trace', 'eth0']],
    [['trace', '239.1.1.1', '--ttl', '0']],
    [['trace', '239.1.1.1', '--size', '70000']],
    [['trace', '239.1.1.1', '-i', 'a-name-that-is-too-long']],
  ])('%j exits with 2', async (argv) => {
    expect(await cli.run(argv)).toMatchObject({ status: 2, stdout: '' });
  });
});

test('reset', async () => {
  expect(await cli.run(['reset', '--flows'])).toMatchObject({ status: 0, stdout: 'counters are shown as counted since 2023-11-14T22:13:20.000Z\n' });
  await cli.run(['reset']);
  expect(cli.control.asked).toEqual([{ flows: true, interfaces: false }, { flows: true, interfaces: true }]);
});

test('log-level', async () => {
  expect((await cli.run(['log-level', 'debug', '--for', '60'])).stdout).toBe('the log has level debug, until 2023-11-14T22:13:20.000Z\n');
  expect((await cli.run(['log-level'])).stdout).toBe('the log has level info, as configured\n');
  expect(cli.control.asked).toEqual([['debug', 60_000], [undefined, 600_000]]);
  expect(await cli.run(['log-level', 'loud'])).toMatchObject({ status: 2, stderr: expect.stringContaining('is none of trace') });
});

test('capabilities', async () => {
  const { stdout } = await cli.run(['capabilities', '-o', 'yaml']);
  expect(parse(stdout)).toMatchObject({
    apiVersion: 'xmcast.v1',
    kernelRelease: '6.1.0',
    kernelFeatures: [{ name: 'tcx', available: false }],
    limits: expect.arrayContaining([{ name: 'watchers', value: '64' }]),
  });
  expect(await cli.lines('capabilities')).toContain('tcx             no     since Linux 6.6');
});

test('health: by its exit status', async () => {
  expect(await cli.run(['health'])).toEqual({ status: 0, stdout: 'serving\n', stderr: '' });
  expect((await cli.run(['health', 'xmcast.v1.StateService', '-o', 'json'])).stdout).toContain('"SERVING"');
  expect((await cli.run(['health', 'nothing'])).status).toBe(3);
  cli.state.statusState = { ...cli.state.statusState, ready: false };
  await cli.close();
  cli = new CliUnderTest();
  cli.state.statusState = { ...cli.state.statusState, ready: false };
  await cli.start();
  expect(await cli.run(['health', 'dataplane'])).toMatchObject({ status: 1, stdout: 'not serving\n' });
});
