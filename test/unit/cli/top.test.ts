import type { xmcast } from '#proto';
import { sparkline } from '../../../control/cli/sparkline';
import { chosen } from '../../../control/cli/top-command';
import { TopModel } from '../../../control/cli/top-model';
import { drawTop, type TopChoice } from '../../../control/cli/top-screen';
import { flowState, interfaceState, ip, manyFlows } from '../api/fake-state';
import { CliUnderTest } from './cli-under-test';

type Flow = xmcast.v1.Flow.$Properties;
type Interface = xmcast.v1.Interface.$Properties;

const SYNCED = { synced: true };
const FLOWS: TopChoice = { table: 'flows', sort: 'rate', isReversed: false, isPaused: false };
const PORTS: TopChoice = { ...FLOWS, table: 'ports', sort: 'name' };

function flow(source: string, changes: Flow = {}): Flow {
  return { source, group: '239.1.1.1', incomingInterface: 'eth0', outgoingInterfaces: ['eth1'], packetsPerSecond: 100, bitsPerSecond: 1e6, readTime: { seconds: 100 }, ...changes };
}

function port(name: string, rxBytes: number, drops = 0): Interface {
  return { name, role: 2, status: 5, mode: 2, rxPackets: rxBytes / 100, rxBytes, txPackets: 0, txBytes: 0, drops: { no_route: drops } };
}

function model(): TopModel {
  const top = new TopModel();
  top.takeFlows({ progress: { reset: true, synced: true }, flows: [flow('10.0.0.5'), flow('10.0.0.10', { bitsPerSecond: 9e6, failedPackets: 10 })] });
  top.takeInterfaces({ progress: { reset: true, synced: true }, interfaces: [port('eth0', 0), port('eth1', 0)] }, 0);
  return top;
}

test('rates of interfaces are over the time between two samples', () => {
  const top = model();
  expect(top.isReady).toBe(false);
  top.takeInterfaces({ progress: SYNCED, interfaces: [port('eth0', 250_000, 10), port('eth1', 0)] }, 2000);
  expect(top.isReady).toBe(true);
  expect(top.ports()[0]).toMatchObject({ name: 'eth0', rxBitsPerSecond: 1e6, rxPacketsPerSecond: 1250, droppedPerSecond: 5, history: [1e6] });
});

test('a counter that begins again, and a change between two samples, make no rate', () => {
  const top = model();
  top.takeInterfaces({ progress: SYNCED, interfaces: [port('eth0', 250_000)] }, 2000);
  top.takeInterfaces({ progress: SYNCED, interfaces: [{ ...port('eth0', 260_000), status: 2 }] }, 2001);
  expect(top.ports()[0]).toMatchObject({ rxBitsPerSecond: 1e6, status: 'down' });
  top.takeInterfaces({ progress: SYNCED, interfaces: [port('eth0', 100)] }, 4000);
  expect(top.ports()[0]).toMatchObject({ rxBitsPerSecond: 0 });
});

test('a flow that is left out of a sample is silent; one that is gone is gone', () => {
  const top = model();
  top.takeFlows({ progress: SYNCED, flows: [flow('10.0.0.10', { bitsPerSecond: 8e6, failedPackets: 30, readTime: { seconds: 102 } })] });
  expect(top.flows()).toMatchObject([
    { source: '10.0.0.5', bitsPerSecond: 0, history: [1e6, 0] },
    { source: '10.0.0.10', bitsPerSecond: 8e6, lostPerSecond: 10, history: [9e6, 8e6] },
  ]);
  top.takeFlows({ progress: SYNCED, removed: [{ source: '10.0.0.5', group: '239.1.1.1' }] });
  expect(top.flows().map(({ source }) => source)).toEqual(['10.0.0.10']);
});

describe('what is drawn', () => {
  const size = { rows: 24, columns: 80 };
  const draw = (top: TopModel, choice: TopChoice, colour = false): string[] => drawTop(top, choice, size, colour).split('\n');

  test('80 by 24: no line is longer, the last row stays free', () => {
    const top = model();
    const flows = Array.from({ length: 100 }, (_, i) => flow(`10.255.255.${i + 100}`, { group: '239.255.255.255', incomingInterface: 'a-very-long-name', packetsPerSecond: 1e6, bitsPerSecond: 1e12 }));
    for (let i = 0; i < 80; i++) top.takeFlows({ progress: SYNCED, flows });
    for (const choice of [FLOWS, PORTS]) {
      const lines = draw(top, choice);
      expect(lines).toHaveLength(23);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(lines.at(-1)).toContain('q quit');
    }
    expect(draw(top, FLOWS).at(-2)).toBe('… 84 more');
  });

  test('the largest first, the column said; reversed; by words', () => {
    const top = model();
    const sources = (choice: TopChoice): string[] => draw(top, choice).slice(3, 5).map((line) => line.split(' ')[0] ?? '');
    expect(sources(FLOWS)).toEqual(['10.0.0.10', '10.0.0.5']);
    expect(draw(top, FLOWS)[2]).toContain('RATE▾');
    expect(sources({ ...FLOWS, isReversed: true })).toEqual(['10.0.0.5', '10.0.0.10']);
    expect(sources({ ...FLOWS, sort: 'source' })).toEqual(['10.0.0.5', '10.0.0.10']);
    expect(draw(top, { ...FLOWS, sort: 'source' })[2]).toContain('SOURCE▴');
  });

  test('what is lost is red, and nothing is when colours are off', () => {
    const top = model();
    top.takeFlows({ progress: SYNCED, flows: [flow('10.0.0.10', { failedPackets: 30, readTime: { seconds: 102 } })] });
    expect(draw(top, FLOWS, true).join('\n')).toMatch(/\u001b\[31m +10\u001b\[0m/);
    expect(draw(top, FLOWS).join('\n')).not.toContain('\u001b');
  });

  test('a terminal of three rows, and one of twenty columns', () => {
    for (const tiny of [{ rows: 3, columns: 80 }, { rows: 24, columns: 20 }]) expect(() => drawTop(model(), FLOWS, tiny, true)).not.toThrow();
  });
});

test('keys', () => {
  expect(chosen(FLOWS, '\t')).toEqual(PORTS);
  expect(chosen(PORTS, '\t')).toEqual(FLOWS);
  expect(chosen(FLOWS, 's').sort).toBe('lost');
  expect(chosen({ ...FLOWS, sort: 'lost' }, 's').sort).toBe('source');
  expect(chosen(FLOWS, 'r').isReversed).toBe(true);
  expect(chosen({ ...FLOWS, isPaused: true }, 'p').isPaused).toBe(false);
  expect(chosen(FLOWS, 'x')).toEqual(FLOWS);
});

test.each([
  [[], 4, '    '],
  [[0, 0], 2, '▁▁'],
  [[1, 2, 4, 8], 4, '▂▃▅█'],
  [[9, 1, 8], 2, '▂█'],
  [[5], 3, '  █'],
  [[1], 0, ''],
])('sparkline of %j in %i', (values, width, bars) => {
  expect(sparkline(values, width)).toBe(bars);
});

describe('the command', () => {
  let cli: CliUnderTest;
  beforeEach(async () => {
    cli = await new CliUnderTest().start();
    cli.state.flowStates = [flowState(), flowState({ source: ip('10.0.0.6'), bitsPerSecond: 9e9 })];
    cli.state.interfaceStates = [interfaceState()];
  });
  afterEach(() => cli.close());

  test('without a terminal: both tables, once', async () => {
    const { status, stdout } = await cli.run(['top', '--every', '100ms']);
    expect(status).toBe(0);
    expect(stdout).not.toContain('\u001b');
    expect(stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual(['SOURCE', '10.0.0.6', '10.0.0.5', '', 'NAME', 'eth1', '']);
  });

  test('--once as JSON', async () => {
    const { stdout } = await cli.run(['top', '--once', '--every', '100ms', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ flows: [{ source: '10.0.0.6' }, { source: '10.0.0.5' }], ports: [{ name: 'eth1' }] });
  });

  test('on a terminal: drawn until q, the terminal given back and the keyboard too', async () => {
    cli.state.flowStates = manyFlows(100);
    let press: (key: string) => void = () => undefined;
    let released = false;
    const written: string[] = [];
    const stdout = {
      write: (text: string) => {
        written.push(text);
        if (written.length === 3) press('\t');
        if (written.length === 6) press('q');
      },
    };
    const keys = (onKey: (key: string) => void) => {
      press = onKey;
      return () => void (released = true);
    };
    expect(await cli.run(['top', '--every', '100ms'], { stdout, keys, isTerminal: true, rows: () => 24, columns: () => 80 })).toMatchObject({ status: 0, stderr: '' });
    expect(released).toBe(true);
    expect(written[0]).toContain('\u001b[?1049h');
    expect(written.some((text) => text.includes('[ports]'))).toBe(true);
    expect(written.at(-1)).toContain('\u001b[?1049l');
  });

  test('a column that is none', async () => {
    expect(await cli.run(['top', '--sort', 'colour'])).toMatchObject({ status: 2, stderr: expect.stringContaining('the flows are sorted by source') });
  });

  test('no daemon: as for every command', async () => {
    expect(await cli.run(['top', '--target', `unix://${cli.folder}/none.sock`])).toMatchObject({ status: 4, stdout: '' });
  });
});
