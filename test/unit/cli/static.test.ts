/**
 * xmcastctl static …, against a server whose entries are kept on a disk in memory.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { type ApiServer, startApiServer } from '../../../control/api/server';
import { type CliIo, runCli } from '../../../control/cli/run';
import { DEFAULT_API_LIMITS } from '../../../control/config/api-settings';
import { FakeState } from '../api/fake-state';
import { membership, route, world, type World } from '../static/bench';

let folder: string;
let w: World;
let server: ApiServer;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-static-cli-'));
  w = await world();
  server = await startApiServer({ socketPath: path.join(folder, 'control.sock'), state: new FakeState(), static: w.manager, log: w.log });
});

afterEach(async () => {
  await server.close();
  await w.manager.close();
  rmSync(folder, { recursive: true });
});

async function ctl(line: string, io: Partial<CliIo> = {}): Promise<{ status: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const status = await runCli(['static', ...line.split(' ')], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    isTerminal: false,
    env: { XMCAST_TARGET: `unix://${folder}/control.sock` },
    ...io,
  });
  return { status, stdout, stderr };
}

function file(text: string): string {
  const name = path.join(folder, 'entries.yaml');
  writeFileSync(name, text);
  return name;
}

test('add and del change one entry', async () => {
  expect(await ctl('add 239.1.1.1 --from up0 --to lan1,lan2 --ttl-threshold 9')).toEqual({ status: 0, stdout: '"xmcastctl" is at revision 1: 1 added, 0 changed, 0 removed, 0 unchanged\n', stderr: '' });
  await ctl('add 239.1.0.0/16 --from up0 --source 10.0.0.0/8');
  await ctl('add 232.1.1.1 --member lan1 --source 10.0.0.1,10.0.0.2');
  expect(await w.held()).toEqual(['xmcastctl: 10.0.0.0/8 239.1.0.0/16 up0 > ', 'xmcastctl: 239.1.1.1 up0 > lan1 lan2 ttl 9', 'xmcastctl: lan1 232.1.1.1 10.0.0.1 10.0.0.2']);
  expect((await ctl('del 239.1.0.0/16 --source 10.0.0.0/8')).stdout).toContain('1 removed');
  expect((await ctl('del 232.1.1.1 --member lan1')).stdout).toContain('1 removed');
  expect(await ctl('del 239.7.7.7')).toMatchObject({ status: 3, stderr: 'xmcastctl: "xmcastctl" has no such entry; xmcastctl static list has all of them\n' });
  expect(await w.held()).toHaveLength(1);
});

test('more than the daemon takes at once: said, with what to do, and nothing changes', async () => {
  await server.close();
  const limits = { ...DEFAULT_API_LIMITS, requestBytes: 65_536 };
  server = await startApiServer({ socketPath: server.socketPath, state: new FakeState(), static: w.manager, log: w.log, limits });
  const groups = Array.from({ length: 4000 }, (_, i) => `239.1.${i >> 8}.${i & 255}`);
  const large = file(JSON.stringify({ static_routes: groups.map((group) => ({ group, upstream: 'up0', downstreams: ['lan1', 'lan2'] })) }));
  expect(await ctl(`apply ${large}`)).toMatchObject({ status: 2, stderr: expect.stringMatching(/bytes of entries are more than xmcastd takes at once \(api\.limits\.request_bytes\): give parts/) as string });
  expect(await w.held()).toEqual([]);
});

test('a file is all that the owner has; with --keep it is added', async () => {
  await w.update({ owner: 'headend', upserts: [route('239.5.5.5')] });
  await w.update({ owner: 'other', upserts: [route('239.6.6.6')] });
  const name = file('static_routes:\n  - {group: 239.1.1.1, upstream: up0, downstreams: [lan1], ttl_threshold: 3}\nstatic_memberships:\n  - {interface: lan1, group: 239.1.1.2}\n');
  expect((await ctl(`apply ${name} --owner headend --keep`)).stdout).toContain('2 added, 0 changed, 0 removed');
  expect(await w.held()).toHaveLength(4);
  expect((await ctl(`apply ${name} --owner headend --dry-run`)).stdout).toBe('would be: 0 added, 0 changed, 1 removed, 2 unchanged\n');
  expect(JSON.parse((await ctl(`apply ${name} --owner headend --lease 60 -o json`)).stdout)).toMatchObject({ removed: 1, unchanged: 2, leaseExpireTime: expect.any(String) });
  expect(await w.held()).toEqual(['headend: 239.1.1.1 up0 > lan1 ttl 3', 'headend: lan1 239.1.1.2', 'other: 239.6.6.6 up0 > lan1']);
  async function* input() {
    yield '{"static_routes": [{"group": "239.1.1.9", "upstream": "up0"}]}';
  }
  expect((await ctl('apply - --owner headend', { stdin: input() })).stdout).toContain('1 added, 0 changed, 2 removed');
});

test.each([
  ['static_route: []', 'neither static_routes nor static_memberships'],
  ['static_routes: 7', 'static_routes is no list'],
  ['static_routes: [{group: 239.1.1.1, upstreem: up0}]', 'static_routes[0]: '],
  ['- 1', 'no mapping'],
  ['a: [', 'a'],
])('the file %p is refused before anything is asked for', async (text, reason) => {
  const { status, stderr } = await ctl(`apply ${file(text)}`);
  expect([status, stderr.includes(reason), w.disk.calls]).toEqual([2, true, 0]);
});

test('problems that the daemon finds have their place in the file', async () => {
  const name = file('static_memberships: [{interface: lan9, group: 239.1.1.1}]\nstatic_routes: [{group: 239.1.1.1, upstream: up0}, {group: 10.1.1.1, upstream: up0}]\n');
  const { status, stderr } = await ctl(`apply ${name}`);
  expect(status).toBe(2);
  expect(stderr.split('\n').slice(0, 2)).toEqual([expect.stringContaining(`${name}: static_memberships[0].interface: `), expect.stringContaining(`${name}: static_routes[1].group: `)]);
});

test('what somebody else has is a conflict', async () => {
  await w.update({ owner: 'other', upserts: [route('239.6.6.6')] });
  const { status, stderr } = await ctl('add 239.6.6.6 --from up0');
  expect([status, stderr]).toEqual([5, expect.stringContaining('an entry of "other"')]);
  expect((await ctl('add 239.6.6.7 --from up0 --owner other --revision 0')).status).toBe(5);
});

test('lists filter, and say when nothing matches', async () => {
  await w.update({ owner: 'headend', upserts: [route('239.1.1.1'), membership('239.1.1.2')] });
  w.follower.refused.set('239.1.1.1/32', 'waits for lan1');
  const rows = (await ctl('list --owner headend')).stdout.trimEnd().split('\n').map((line) => line.split(/ {2,}/));
  expect(rows).toEqual([
    ['OWNER', 'KIND', 'SOURCE', 'GROUP', 'FROM', 'TO', 'TTL', 'IN EFFECT'],
    ['headend', 'route', '*', '239.1.1.1', 'up0', 'lan1', '-', 'no: waits for lan1'],
    ['headend', 'membership', '*', '239.1.1.2', '-', 'lan1', '-', 'yes'],
  ]);
  const { entries } = JSON.parse((await ctl('list -o json --kind membership')).stdout) as { entries: object[] };
  expect(entries).toMatchObject([{ owner: 'headend', entry: { membership: { interface: 'lan1', group: '239.1.1.2' } }, problem: '' }, { owner: 'config' }]);
  expect((await ctl('list --group 239.77.0.0/16')).status).toBe(3);
});

test('owners and leases', async () => {
  await w.update({ owner: 'headend', leaseMs: 60_000, upserts: [route('239.1.1.1')] });
  const [, , headend] = (await ctl('owners')).stdout.trimEnd().split('\n').map((line) => line.split(/ {2,}/));
  expect(headend?.slice(0, 6)).toEqual(['headend', '1', '1', '1', '0', '1m00s']);
  expect(await ctl('renew --owner headend')).toMatchObject({ status: 0, stdout: 'the lease of "headend" is renewed\n' });
  expect((await ctl('renew --owner nobody')).status).toBe(3);
});

test.each(['add 239.1.1.1', 'add 239.1.1.1 --member lan1 --to lan2', 'add 239.1.1.1 --from up0 --lease x', 'del', 'apply', 'list --kind flow'])('"%s" is a usage error', async (line) => {
  expect((await ctl(line)).status).toBe(2);
});
