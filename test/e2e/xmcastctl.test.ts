/**
 * xmcastctl as an operator runs it, against a running daemon: every command as a table and as JSON, and its exit statuses.
 *
 *     source ── up0 [xmcastd] lan1 ── member   lan2 ── nobody
 */
import { join } from 'node:path';
import { parse } from 'yaml';
import { productVersion } from '../../control/paths';
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { LabProcess } from '../lab/lab-process';
import { inRepository } from '../lab/repository';
import { createStar, SOURCE, type Star } from '../lab/star';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const PACKETS = 200;

let star: Star;
let daemon: Daemon;

beforeAll(async () => {
  star = await createStar('ctl', [{ name: 'member' }, { name: 'nobody' }]);
  daemon = await star.start();
  const [member] = star.hosts;
  if (member === undefined) throw new Error('no host');
  await star.lab.receiver(member, { joins: [G] });
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the membership is known' });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: PACKETS, rate: 1000, size: 100 });
  await sender.finished();
  await eventually(async () => (await shownFlow(daemon, G, SOURCE))?.packets === String(PACKETS), {
    what: 'the stream is counted',
  });
});
afterAll(async () => star?.lab.close());

/** Lines of a table as their words; headings have words of two parts parted by one space, columns by two. */
async function table(...argv: readonly string[]): Promise<readonly string[][]> {
  const text = await daemon.ctlText(...argv);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}/));
}

async function ended(...argv: readonly string[]): Promise<LabProcess> {
  const child = star.lab.spawn(undefined, [inRepository('deploy/bin/xmcastctl'), ...argv]);
  await eventually(() => child.hasExited, { what: 'xmcastctl ends', timeoutMs: 15_000 });
  return child;
}

test('status', async () => {
  expect(await daemon.ctl('status')).toMatchObject({ version: productVersion(), ready: true });
  const text = await daemon.ctlText('status');
  expect(text).toContain(productVersion());
  expect(text).toMatch(/^Ready: +yes$/m);
  expect(text).toMatch(/^Interfaces: +3 of 3 forwarding$/m);
  expect(text).toMatch(/^Memberships: +1$/m);
  expect(text).toMatch(/^Membership limit: +1 of 131,072$/m);
});

test('interfaces', async () => {
  const { interfaces } = await daemon.ctl<{ interfaces: object[] }>('interfaces');
  expect(interfaces).toMatchObject([
    {
      name: 'up0',
      role: 'ROLE_UPSTREAM',
      status: 'STATUS_FORWARDING',
      mode: 'MODE_XDP',
      addresses: ['10.100.0.1/24'],
      rxPackets: String(PACKETS),
      forwardsToHosts: false,
      igmpHost: { version: 3, querier: '', groups: 1 },
    },
    {
      name: 'lan1',
      role: 'ROLE_DOWNSTREAM',
      querier: { self: true, address: '10.1.1.1' },
      forwardsToHosts: true,
      txPackets: String(PACKETS),
    },
    { name: 'lan2', txPackets: '0' },
  ]);
  const [headings, ...rows] = await table('interfaces');
  expect(headings).toEqual(expect.arrayContaining(['NAME', 'STATUS', 'MODE', 'RX PACKETS', 'TX PACKETS']));
  expect(rows.map(([name, role, status, mode]) => [name, role, status, mode])).toEqual([
    ['up0', 'upstream', 'forwarding', 'xdp'],
    ['lan1', 'downstream', 'forwarding', 'xdp'],
    ['lan2', 'downstream', 'forwarding', 'xdp'],
  ]);
});

test('one interface: its status line by line, and its counters', async () => {
  const text = await daemon.ctlText('interfaces', '-i', 'up0');
  expect(text).toMatch(/^Role: +upstream$/m);
  expect(text).toMatch(/^Source address: +10\.100\.0\.1$/m);
  expect(text).toMatch(/^Querier: +v3, none heard$/m);
  expect(text).toMatch(/^Groups reported: +1$/m);
  expect(text).toMatch(/^Received: +200 packets, 25\.6 kB$/m);
  expect(text).toMatch(/^igmp sent +report-v3 +\d+$/m);
});

test('memberships', async () => {
  const { memberships } = await daemon.ctl<{ memberships: object[] }>('memberships');
  expect(memberships).toMatchObject([
    {
      interface: 'lan1',
      group: G,
      filterMode: 'FILTER_MODE_EXCLUDE',
      compatibilityVersion: 3,
      lastReporter: '10.1.1.10',
      static: false,
      hosts: [{ address: '10.1.1.10', version: 3, filterMode: 'FILTER_MODE_EXCLUDE', sources: [] }],
      hostCount: 1,
    },
  ]);
  const [headings, ...rows] = await table('memberships');
  expect(headings?.slice(0, 3)).toEqual(['INTERFACE', 'GROUP', 'MODE']);
  expect(rows.map((row) => row.slice(0, 5))).toEqual([['lan1', G, 'exclude', 'IGMPv3', 'dynamic']]);
  const [, host] = await table('memberships', '--hosts');
  expect(host?.slice(0, 5)).toEqual(['lan1', G, '10.1.1.10', 'IGMPv3', 'exclude']);
});

test('reports', async () => {
  const { reports } = await daemon.ctl<{ reports: object[] }>('reports');
  expect(reports).toEqual([{ interface: 'up0', group: G, filterMode: 'FILTER_MODE_EXCLUDE', sources: [] }]);
  expect(await table('reports')).toEqual([
    ['INTERFACE', 'GROUP', 'MODE', 'SOURCES'],
    ['up0', G, 'exclude', '-'],
  ]);
});

test('routes', async () => {
  const { routes } = await daemon.ctl<{ routes: object[] }>('routes');
  expect(routes).toMatchObject([
    { source: '*', group: G, incomingInterface: 'up0', outgoingInterfaces: ['lan1'], installed: true, static: false },
    { source: SOURCE, group: G, incomingInterface: 'up0', outgoingInterfaces: ['lan1'], installed: true, static: false },
  ]);
  const [headings, ...rows] = await table('routes');
  expect(headings?.slice(0, 4)).toEqual(['SOURCE', 'GROUP', 'FROM', 'TO']);
  expect(rows.map((row) => row.slice(0, 4))).toEqual([
    ['*', G, 'up0', 'lan1'],
    [SOURCE, G, 'up0', 'lan1'],
  ]);
});

test('flows', async () => {
  const { flows } = await daemon.ctl<{ flows: object[] }>('flows', '--source', SOURCE);
  expect(flows).toMatchObject([
    { source: SOURCE, group: G, packets: String(PACKETS), bytes: String(PACKETS * 128), replicatedPackets: String(PACKETS) },
  ]);
  const [headings, row] = await table('flows', '--source', SOURCE);
  expect(headings?.slice(0, 3)).toEqual(['SOURCE', 'GROUP', 'FROM']);
  expect(row?.slice(0, 3)).toEqual([SOURCE, G, 'up0']);
  expect(row).toContain(String(PACKETS));
});

test.each(['interfaces', 'memberships', 'reports', 'routes', 'flows'])('%s as lines of JSON, and as YAML', async (command) => {
  const document = await daemon.ctl<Record<string, object[]>>(command);
  const text = await daemon.ctlText(command, '-o', 'jsonl');
  const named = (entries: readonly object[] | undefined) => entries?.map((entry) => Object.keys(entry));
  const found = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(named(found)).toEqual(named(document[command]));
  const yaml = parse(await daemon.ctlText(command, '-o', 'yaml')) as Record<string, object[]>;
  expect(named(yaml[command])).toEqual(named(document[command]));
});

test('events, top, trace, health and what the daemon can do', async () => {
  const { events } = await daemon.ctl<{ events: { type: string; subject: string }[] }>('events', '-n', '0');
  expect(events).toEqual(expect.arrayContaining([expect.objectContaining({ type: 'TYPE_INTERFACE_ATTACHED', subject: 'lan1' })]));
  const top = await daemon.ctlText('top', '--every', '0.2');
  expect(top).toMatch(new RegExp(`^${SOURCE.replaceAll('.', '\\.')} +${G.replaceAll('.', '\\.')} +up0 +1 `, 'm'));
  expect(await daemon.ctlText('trace', G, '--source', SOURCE)).toContain('Forwarded to lan1 by');
  const refused = await ended('--target', `unix://${daemon.socketPath}`, 'trace', G, '--source', SOURCE, '--in', 'lan2');
  expect(await refused.exited).toMatchObject({ code: 6 });
  expect(await daemon.ctlText('health', 'dataplane')).toBe('serving\n');
  expect(await daemon.ctl('capabilities')).toMatchObject({ apiVersion: 'xmcast.v1', interfaces: [{ interface: 'up0', mode: 'MODE_XDP' }, {}, {}] });
  expect(await daemon.ctl('neighbors')).toEqual({ neighbors: [] });
});

test('--watch draws until it is interrupted, and ends with 0', async () => {
  const child = star.lab.spawn(undefined, [inRepository('deploy/bin/xmcastctl'), '--target', `unix://${daemon.socketPath}`, 'flows', '-w', '0.1']);
  await eventually(() => child.stdout.split('SOURCE').length > 3, { what: 'three tables', timeoutMs: 15_000 });
  child.signal('SIGINT');
  expect(await child.exited).toMatchObject({ code: 0 });
  expect(child.stderr).toBe('');
});

test('a filter that nothing matches: exit status 3 and a word on the standard error output', async () => {
  const child = await ended('--target', `unix://${daemon.socketPath}`, 'routes', '--group', '239.255.0.0/16');
  expect({ ...(await child.exited), stdout: child.stdout }).toMatchObject({ code: 3, stdout: '' });
  expect(child.stderr).toMatch(/^xmcastctl: \S.*\n$/);
});

test.each(['status', 'interfaces', 'memberships', 'reports', 'routes', 'flows'])(
  'no daemon there: %s ends with 4 and says what to do',
  async (command) => {
    const nowhere = join(star.lab.directory, 'nobody.sock');
    const child = await ended('--target', `unix://${nowhere}`, command);
    expect({ ...(await child.exited), stdout: child.stdout }).toMatchObject({ code: 4, stdout: '' });
    expect(child.stderr).toMatch(/^xmcastctl: cannot reach xmcastd at .*nobody\.sock: ENOENT, .*--target.*\n$/);
  },
);
