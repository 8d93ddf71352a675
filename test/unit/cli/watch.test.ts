import type { CliIo } from '../../../control/cli/run';
import { flowState, manyFlows } from '../api/fake-state';
import { CliUnderTest } from './cli-under-test';

let cli: CliUnderTest;

beforeEach(async () => {
  cli = await new CliUnderTest().start();
});

afterEach(() => cli.close());

describe('--watch', () => {
  /** Stops after so many writes to stdout. */
  function stopAfter(writes: number): { readonly io: Partial<CliIo>; readonly written: string[] } {
    const stop = new AbortController();
    const written: string[] = [];
    const stdout = {
      write: (text: string) => {
        written.push(text);
        if (written.length === writes) stop.abort();
      },
    };
    return { io: { stdout, interrupted: () => stop.signal }, written };
  }

  beforeEach(() => {
    cli.state.flowStates = [flowState()];
  });

  test('json: one document in each line until it is stopped', async () => {
    const { io, written } = stopAfter(3);
    expect(await cli.run(['flows', '--watch', '1ms', '-o', 'json'], io)).toMatchObject({ status: 0, stderr: '' });
    expect(written.map((text) => [text.endsWith('}\n'), text.trimEnd().includes('\n')])).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ]);
  });

  test('yaml: a stream of documents', async () => {
    const { io, written } = stopAfter(2);
    await cli.run(['flows', '--watch', '1ms', '-o', 'yaml'], io);
    expect(written.map((text) => text.slice(0, 11))).toEqual(['---\nflows:\n', '---\nflows:\n']);
  });

  test('a table that is not for a terminal: an empty line between two', async () => {
    const { io, written } = stopAfter(3);
    await cli.run(['routes', '--watch', '1ms'], io);
    expect([written[1], written[0]]).toEqual(['\n', written[2]]);
    expect(written.join('')).not.toContain('\u001b');
  });

  test('on a terminal: drawn in place, and at the end the terminal as it was with the last table on it', async () => {
    const { io, written } = stopAfter(2);
    await cli.run(['flows', '--watch', '1ms'], { ...io, isTerminal: true, rows: () => 24 });
    const [first = '', second = '', last = ''] = written;
    expect(written).toHaveLength(3);
    expect(first.startsWith('\u001b[?1049h\u001b[?7l\u001b[?25l\u001b[H\u001b[K')).toBe(true);
    expect(second.startsWith('\u001b[H\u001b[K')).toBe(true);
    expect(second.endsWith('\n\u001b[J')).toBe(true);
    expect(last).toMatch(/^\u001b\[\?25h\u001b\[\?7h\u001b\[\?1049l.*SOURCE.*\n10\.0\.0\.5 .*\n$/);
  });

  test('on a terminal that is too low the rest is counted', async () => {
    cli.state.flowStates = manyFlows(100);
    const { io, written } = stopAfter(1);
    await cli.run(['flows', '--watch', '1ms'], { ...io, isTerminal: true, rows: () => 10 });
    const drawn = (written[0] ?? '').split('\n');
    expect(drawn).toHaveLength(10);
    expect(drawn[8]).toContain('… 93 more lines');
    expect(drawn[9]).toBe('\u001b[J');
  });

  test.each([0, undefined])('a terminal of %s rows does not know its height', async (rows) => {
    const { io, written } = stopAfter(1);
    await cli.run(['flows', '--watch', '1ms'], { ...io, isTerminal: true, rows: () => rows });
    expect(written[0]).not.toContain('more lines');
  });

  test('on a terminal: nothing matches is drawn too, and is the exit status', async () => {
    const { io, written } = stopAfter(1);
    expect(await cli.run(['flows', '-g', '239.9.9.9', '--watch', '1ms'], { ...io, isTerminal: true })).toMatchObject({
      status: 3,
      stderr: '',
    });
    expect(written[0]).toContain('no flows match --group 239.9.9.9');
  });

  test('stopped in the middle of a request', async () => {
    const stop = new AbortController();
    cli.state.onRefresh = () => {
      stop.abort();
      return new Promise(() => undefined);
    };
    expect(await cli.run(['flows', '-w'], { interrupted: () => stop.signal })).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('the daemon dies: the terminal is given back, then the failure', async () => {
    cli.state.onRefresh = () => (cli.state.refreshes < 2 ? Promise.resolve() : Promise.reject(new Error('EBADF')));
    const order: string[] = [];
    const tell = (name: string) => ({ write: (text: string) => order.push(`${name} ${text.slice(0, 8)}`) });
    const { status } = await cli.run(['flows', '-w', '1ms'], { stdout: tell('out'), stderr: tell('err'), isTerminal: true });
    expect(status).toBe(1);
    expect(order).toEqual(['out \u001b[?1049h', 'out \u001b[?25h\u001b[', 'err xmcastct']);
  });
});
