/**
 * Static entries of a running router, under traffic.
 *
 *     source ── up0 [xmcastd] lan1 ── host      has joined G
 *                             lan2 ── other     has joined nothing that the router asks about
 */
import { join } from 'node:path';
import { xmcast } from '#proto';
import { ApiClient } from '../../control/api/client';
import { staticEntryServiceDefinition } from '../../control/api/services';
import { fromWire } from '../../control/api/u64';
import { formatIpv4 } from '../../control/protocol/packet/address';
import { run } from '../lab/command';
import { eventually } from '../lab/eventually';
import type { LabProcess } from '../lab/lab-process';
import { inRepository } from '../lab/repository';
import { createStar, SOURCE, type Star } from '../lab/star';
import { launchDaemon } from './launch';

jest.setTimeout(120_000);

const [G, STATIC, MEMBERSHIP] = ['239.1.1.1', '239.2.2.2', '239.3.3.3'];
const MANY = 10_000;
const FIRST_OF_MANY = 0xefa00000;
const { listStaticEntries, listStaticOwners, updateStaticEntries } = staticEntryServiceDefinition;

type Entry = xmcast.v1.StaticEntry.$Properties;

let star: Star;
let client: ApiClient;
let daemon: LabProcess;
let paths: { readonly socketPath: string; readonly pinPath: string };
let stateDir: string;

beforeEach(async () => {
  star = await createStar('static', [{ name: 'host' }, { name: 'other' }]);
  paths = { socketPath: join(star.lab.directory, 'static.sock'), pinPath: `/sys/fs/bpf/xmcast-${star.lab.id}-static` };
  stateDir = join(star.lab.directory, 'state');
  star.lab.removeOnClose(paths.pinPath);
  client = new ApiClient({ target: `unix://${paths.socketPath}`, timeoutMs: 60_000 });
  star.lab.onClose(() => client.close());
  await start();
});
afterEach(async () => star?.lab.close());

async function start(): Promise<void> {
  daemon = launchDaemon(star, { ...paths, config: { limits: { routes: 32_768 } }, extra: ['--state-dir', stateDir] });
  await eventually(async () => daemon.hasExited || (await client.getStatus()).ready === true, { what: 'xmcastd is ready', timeoutMs: 30_000 });
  if (daemon.hasExited) throw new Error(daemon.describeEnd());
}

async function update(request: xmcast.v1.UpdateStaticEntriesRequest.$Properties): Promise<xmcast.v1.UpdateStaticEntriesResponse> {
  const answer = await client.call(updateStaticEntries, xmcast.v1.UpdateStaticEntriesRequest.create({ owner: 'test', ...request }));
  expect([answer.refused, fromWire(answer.programmedRevision)]).toEqual([[], fromWire(answer.revision)]);
  return answer;
}

function route(group: string, ...downstreams: string[]): Entry {
  return { route: { group, upstream: 'up0', downstreams } };
}

function many(...downstreams: string[]): Entry[] {
  return Array.from({ length: MANY }, (_, i) => route(formatIpv4(FIRST_OF_MANY + i), ...downstreams));
}

/** 500 packets a second; `hostIndex`: who counts them. */
async function stream(group: string, hostIndex: number) {
  const host = star.hosts[hostIndex];
  if (host === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(host, { joins: [group] });
  const sender = await star.lab.sender(star.source, { group, source: SOURCE, rate: 500, size: 200 });
  const seen = () => receiver.flow({ group, streamId: sender.streamId });
  await eventually(async () => (await seen()).received > 100, { what: `${group} arrives`, timeoutMs: 15_000 });
  const isWhole = async (): Promise<void> => {
    const { sent } = await sender.stop();
    await eventually(async () => (await seen()).lastSequence === sent - 1, { what: 'the last packet has arrived' });
    expect(await seen()).toMatchObject({ lost: 0, duplicated: 0 });
  };
  return { seen, isWhole };
}

/** The kernel sees the stream on the wire of `other`, whoever has joined what. */
async function arrives(group: string): Promise<boolean> {
  const [, other] = star.hosts;
  if (other === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(other, { wire: true });
  const sender = await star.lab.sender(star.source, { group, source: SOURCE, count: 200, rate: 1000 });
  await sender.finished();
  await eventually(async () => (await client.listFlows({ group, source: SOURCE, fresh: true })).some(({ packets }) => fromWire(packets) >= 200n), { what: `${group} is counted` });
  const { flows } = await receiver.stop();
  return flows.some((flow) => flow.group === group && flow.onWire === 200);
}

test(`${MANY} routes come, change and go; streams that they do not concern lose nothing`, async () => {
  await update({ upserts: [route(STATIC, 'lan2')] });
  const [dynamic, fixed] = [await stream(G, 0), await stream(STATIC, 1)];
  expect(await update({ owner: 'many', upserts: many('lan1') })).toMatchObject({ added: MANY });
  expect((await client.getStatus()).routesInstalled).toBeGreaterThanOrEqual(MANY);
  expect(await update({ owner: 'many', upserts: many('lan1', 'lan2') })).toMatchObject({ changed: MANY });
  expect(await update({ owner: 'many', replace: true })).toMatchObject({ removed: MANY });
  const { received } = await dynamic.seen();
  await eventually(async () => (await dynamic.seen()).received > received + 100, { what: 'the stream goes on' });
  await dynamic.isWhole();
  await fixed.isWhole();
  expect((await client.getStatus()).routesInstalled).toBeLessThan(100);
});

test('routes and memberships forward without any host, and again after a restart', async () => {
  await update({ upserts: [route(STATIC, 'lan2'), { membership: { interface: 'lan2', group: MEMBERSHIP } }] });
  expect([await arrives(STATIC), await arrives(MEMBERSHIP)]).toEqual([true, true]);
  await daemon.terminate({ graceMs: 10_000 });
  await start();
  expect([await arrives(STATIC), await arrives(MEMBERSHIP)]).toEqual([true, true]);
  await update({ replace: true });
  expect((await client.call(listStaticEntries, {})).entries).toEqual([]);
});

test('killed and started again: the stream of a static route, the only reason for it, loses nothing', async () => {
  await update({ upserts: [route(STATIC, 'lan2'), ...many('lan1')] });
  const fixed = await stream(STATIC, 1);
  daemon.signal('SIGKILL');
  await eventually(() => daemon.hasExited, { what: 'xmcastd is gone' });
  await start();
  expect((await client.call(listStaticOwners, {})).owners).toMatchObject([{ owner: 'test', routes: MANY + 1 }]);
  expect(await update({ upserts: [route('239.4.4.4', 'lan1')] })).toMatchObject({ added: 1 });
  const { received } = await fixed.seen();
  await eventually(async () => (await fixed.seen()).received > received + 250, { what: 'the stream goes on' });
  await fixed.isWhole();
});

test('an interface that goes takes its entries out of effect, and one that comes brings them back', async () => {
  await update({ upserts: [route(STATIC, 'lan2')] });
  const problemOf = async () => (await client.call(listStaticEntries, {})).entries[0]?.problem;
  expect(await problemOf()).toBe('');
  await star.router.run(['ip', 'link', 'set', 'dev', 'lan2', 'down']);
  await eventually(async () => (await problemOf()) === 'waits for lan2', { what: 'the route waits' });
  await star.router.run(['ip', 'link', 'set', 'dev', 'lan2', 'up']);
  await eventually(async () => (await problemOf()) === '', { what: 'the route is back' });
  expect(await arrives(STATIC)).toBe(true);
});

test('a lease that nobody renews ends the stream, and the log says so', async () => {
  await update({ upserts: [route(STATIC, 'lan2')], lease: { seconds: 1 } });
  await eventually(async () => (await client.call(listStaticOwners, {})).owners.length === 0, { what: 'the owner is gone', timeoutMs: 15_000 });
  expect(await client.listRoutes({ group: STATIC })).toEqual([]);
  expect(daemon.stdout).toContain('was not renewed');
});

test('xmcastctl applies a file and lists what is in effect', async () => {
  const ctl = (...argv: readonly string[]): Promise<string> => run([inRepository('deploy/bin/xmcastctl'), '--target', `unix://${paths.socketPath}`, 'static', ...argv]);
  expect(await ctl('add', STATIC, '--from', 'up0', '--to', 'lan1,lan2')).toContain('1 added');
  expect(await ctl('list')).toMatch(/^xmcastctl +route +\* +239\.2\.2\.2 +up0 +lan1 lan2 +- +yes$/m);
  expect(await arrives(STATIC)).toBe(true);
  expect(await ctl('del', STATIC)).toContain('1 removed');
});
