/**
 * `npm run demo`, without the building: what it prints at its end, and that nothing survives it, killed or not.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { run } from '../lab/command';
import { eventually } from '../lab/eventually';
import { LabProcess } from '../lab/lab-process';
import { inRepository } from '../lab/repository';

jest.setTimeout(90_000);

interface Document {
  readonly ok: boolean;
  readonly receivers: readonly Record<string, unknown>[];
  readonly flows: readonly Record<string, unknown>[];
  readonly interfaces: readonly Record<string, unknown>[];
}

let demo: LabProcess;

function start(...argv: readonly string[]): void {
  demo = new LabProcess([process.execPath, inRepository('build/test/lab/demo.js'), ...argv], { name: 'demo' });
}

afterEach(async () => {
  await demo.terminate({ graceMs: 15_000 });
});

/** Namespaces, processes and pins of the demo; all bear its process id. */
async function remains(): Promise<{ namespaces: string[]; processes: string[]; pins: string[]; records: string[] }> {
  const namespaces = (await run(['ip', 'netns', 'list'])).split('\n').filter((line) => line.startsWith(`xm-demo-${demo.pid}-`));
  const processes = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && commandLine(name).includes(`/run/xmcast-lab/${demo.pid}-`),
  );
  const pins = readdirSync('/sys/fs/bpf').filter((name) => name.startsWith(`xmcast-${demo.pid}-`));
  const records = existsSync('/run/xmcast-lab')
    ? readdirSync('/run/xmcast-lab').filter((name) => name.startsWith(`${demo.pid}-`))
    : [];
  return { namespaces, processes, pins, records };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    // Ended meanwhile.
    return '';
  }
}

const NOTHING = { namespaces: [], processes: [], pins: [], records: [] };

test('three seconds of it: one JSON document as the last line, everything in it good, and nothing left', async () => {
  start('--seconds', '3', '--json');
  await eventually(() => demo.hasExited, { what: 'the demo ends', timeoutMs: 60_000, intervalMs: 100 });
  expect({ ...(await demo.exited), stderr: demo.stderr }).toMatchObject({ code: 0 });
  const document = JSON.parse(demo.stdout.trimEnd().split('\n').at(-1) ?? '') as Document;
  expect(document.ok).toBe(true);
  expect(document.receivers.map(({ name, version, group, source }) => [name, version, group, source])).toEqual([
    ['any-source-1', 3, '239.1.1.1', null],
    ['any-source-2', 3, '239.1.1.1', null],
    ['one-source', 3, '232.1.1.1', '10.100.0.10'],
    ['igmpv2', 2, '239.1.1.1', null],
    ['no-member', null, null, null],
  ]);
  for (const receiver of document.receivers) {
    expect(receiver).toMatchObject({
      lost: 0,
      duplicated: 0,
      corrupted: 0,
      unwanted: 0,
      received: receiver['sent_while_joined'],
    });
    if (receiver['group'] === null) expect(receiver).toMatchObject({ received: 0, join_to_first_packet_ms: null });
    else expect(receiver).toMatchObject({ received: expect.any(Number), join_to_first_packet_ms: expect.any(Number) });
  }
  const members = document.receivers.filter(({ group }) => group !== null);
  expect(Math.min(...members.map(({ received }) => Number(received)))).toBeGreaterThan(2000);
  expect(document.flows.map(({ source, group }) => `${String(source)} ${String(group)}`)).toEqual(
    expect.arrayContaining(['10.100.0.10 239.1.1.1', '10.100.0.10 232.1.1.1']),
  );
  expect(document.interfaces.map(({ name, status }) => [name, status])).toEqual(
    ['up0', 'lan1', 'lan2', 'lan3', 'lan4', 'lan5'].map((name) => [name, 'STATUS_FORWARDING']),
  );
  expect(await remains()).toEqual(NOTHING);
});

test('killed in the middle: namespaces, processes and pins go with it', async () => {
  start();
  await eventually(() => demo.stdout.includes('RECEIVERS') || demo.hasExited, {
    what: 'the demo shows its receivers',
    timeoutMs: 40_000,
    intervalMs: 100,
  });
  const alive = await remains();
  expect(alive.namespaces.length).toBeGreaterThanOrEqual(7);
  expect(alive.processes.length).toBeGreaterThan(0);
  expect(alive.pins).toHaveLength(1);
  demo.signal('SIGKILL');
  expect(await demo.exited).toMatchObject({ signal: 'SIGKILL' });
  await eventually(async () => Object.values(await remains()).every((left) => left.length === 0), {
    what: 'nothing is left',
    timeoutMs: 20_000,
    intervalMs: 200,
  });
  expect(await remains()).toEqual(NOTHING);
});
