/**
 * Changing the configuration of a running router, under traffic.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 *                             lan2 ── other
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { xmcast } from '#proto';
import { ApiClient } from '../../control/api/client';
import { configServiceDefinition } from '../../control/api/services';
import { configFromPlain } from '../../control/config/plain-config';
import type { Plain } from '../../control/config/canonical';
import { eventually } from '../lab/eventually';
import type { LabProcess } from '../lab/lab-process';
import type { FlowStats } from '../lab/receiver';
import { inRepository } from '../lab/repository';
import type { Sender } from '../lab/sender';
import { createStar, SOURCE, type Star } from '../lab/star';
import { launchDaemon, XMCASTD } from './launch';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const igmp = { query_response_interval: '1s' };

interface Router {
  readonly process: LabProcess;
  readonly client: ApiClient;
  readonly socketPath: string;
  readonly file: string;
}

let star: Star;
let paths: { readonly socketPath: string; readonly pinPath: string };
let stateDir: string;

beforeEach(async () => {
  star = await createStar('config', [{ name: 'host' }, { name: 'other' }]);
  paths = { socketPath: join(star.lab.directory, 'config.sock'), pinPath: `/sys/fs/bpf/xmcast-${star.lab.id}-config` };
  stateDir = join(star.lab.directory, 'state');
  star.lab.removeOnClose(paths.pinPath);
});
afterEach(async () => star?.lab.close());

/** With the file that the daemon before had, when there is one. */
async function start(before?: Router): Promise<Router> {
  const extra = ['--state-dir', stateDir];
  const process =
    before === undefined
      ? launchDaemon(star, { ...paths, config: { igmp }, extra })
      : star.lab.spawn(star.router, [XMCASTD, '--config', before.file, ...extra], { name: 'xmcastd' });
  const client = new ApiClient({ target: `unix://${paths.socketPath}`, timeoutMs: 5000 });
  star.lab.onClose(() => client.close());
  await eventually(async () => process.hasExited || (await client.getStatus()).ready === true, { what: 'xmcastd is ready', timeoutMs: 30_000 });
  if (process.hasExited) throw new Error(process.describeEnd());
  const { file } = await client.call(configServiceDefinition.getConfig, xmcast.v1.GetConfigRequest.create({}));
  return { process, client, socketPath: paths.socketPath, file };
}

function yamlOf({ file }: Router): Record<string, unknown> & { interfaces: Record<string, unknown>[] } {
  return parse(readFileSync(file, 'utf8')) as Record<string, unknown> & { interfaces: Record<string, unknown>[] };
}

/** The configuration of the file with another ttl_threshold at lan2, or without lan1. */
function changed(router: Router, change: { readonly threshold?: number; readonly without?: string }): Plain {
  const yaml = yamlOf(router);
  const interfaces = yaml.interfaces
    .filter(({ name }) => name !== change.without)
    .map((entry) => (entry['name'] === 'lan2' && change.threshold !== undefined ? { ...entry, ttl_threshold: change.threshold } : entry));
  return { ...yaml, interfaces } as Plain;
}

async function apply({ client }: Router, plain: Plain, more: xmcast.v1.ApplyConfigRequest.$Properties = {}): Promise<xmcast.v1.ApplyConfigResponse> {
  const { config, fault } = configFromPlain(plain);
  if (config === undefined) throw new Error(fault);
  return client.call(configServiceDefinition.applyConfig, xmcast.v1.ApplyConfigRequest.create({ config, takeover: true, ...more }));
}

async function threshold({ client }: Router): Promise<number> {
  const { config } = await client.call(configServiceDefinition.getConfig, xmcast.v1.GetConfigRequest.create({}));
  return config?.interfaces?.find(({ name }) => name === 'lan2')?.ttlThreshold ?? 1;
}

/** 500 packets a second to the host behind lan1. */
async function stream() {
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(host, { joins: [G] });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500, size: 200 });
  const seen = () => receiver.flow({ group: G, streamId: sender.streamId });
  await eventually(async () => (await seen()).received > 100, { what: 'the stream arrives', timeoutMs: 15_000 });
  return { sender, seen };
}

test('SIGHUP follows the file: what the change does not concern loses no packet; a bad file changes nothing', async () => {
  const router = await start();
  const { sender, seen } = await stream();
  writeFileSync(router.file, stringify(changed(router, { threshold: 7 })));
  router.process.signal('SIGHUP');
  await eventually(async () => (await threshold(router)) === 7, { what: 'the file is followed' });
  writeFileSync(router.file, 'interfaces: [{name: eth0, colour: red}]');
  router.process.signal('SIGHUP');
  await eventually(() => router.process.stdout.includes('has 1 problem'), { what: 'the log says what is wrong' });
  expect(await threshold(router)).toBe(7);
  const { received } = await seen();
  await eventually(async () => (await seen()).received > received + 250, { what: 'the stream goes on' });
  const { sent } = await sender.stop();
  await eventually(async () => (await seen()).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0 });
});

test('the connection is cut between Apply and Confirm: the old configuration is back at the deadline, and with it the stream', async () => {
  const router = await start();
  const { sender, seen } = await stream();
  const applied = await apply(router, changed(router, { without: 'lan1' }), { confirmTimeout: { seconds: 3 } });
  expect(applied.changes).toMatchObject([{ path: 'interfaces[lan1]', disrupts: 'flows through lan1' }]);
  router.client.close();
  const [before] = await Promise.all([seen(), eventually(async () => isStill(sender, seen), { what: 'the stream has ended', timeoutMs: 3000 })]);
  await eventually(async () => (await seen()).received > before.received + 500, { what: 'the stream is back', timeoutMs: 20_000 });
  expect(router.process.stdout).toContain('is taken back: nobody confirmed it in time');
});

/** None of a hundred packets arrives. */
async function isStill(sender: Sender, seen: () => Promise<FlowStats>): Promise<boolean> {
  const { received } = await seen();
  const { sent } = await sender.stats();
  await eventually(async () => (await sender.stats()).sent > sent + 100, { what: 'the source sends on' });
  return (await seen()).received === received;
}

test('what was applied outlives SIGKILL; what was not confirmed does not', async () => {
  let router = await start();
  await apply(router, changed(router, { threshold: 5 }));
  router.process.signal('SIGKILL');
  await router.process.exited;
  router = await start(router);
  expect(await threshold(router)).toBe(5);
  await apply(router, changed(router, { threshold: 6 }), { confirmTimeout: { seconds: 60 } });
  expect(await threshold(router)).toBe(6);
  router.process.signal('SIGKILL');
  await router.process.exited;
  router = await start(router);
  expect(await threshold(router)).toBe(5);
  expect((await router.client.getStatus()).conditions?.join()).toContain('the API has taken over from it');
  router.process.signal('SIGTERM');
  expect(await router.process.exited).toEqual({ code: 0, signal: null });
});

/** Beside the 200 kills of config-crash.test.ts, which leave the router out. */
test('killed in the middle of an Apply, five times: the next start runs the old configuration or the new one, whole', async () => {
  let router = await start();
  let runs = 1;
  for (let next = 10; next < 15; next++) {
    const answered = apply(router, changed(router, { threshold: next })).then(() => true, () => false);
    await delay(Math.random() * 30);
    router.process.signal('SIGKILL');
    await router.process.exited;
    const wasAnswered = await answered;
    router.client.close();
    router = await start(router);
    const found = await threshold(router);
    expect({ next, wasAnswered, found }).toEqual({ next, wasAnswered, found: wasAnswered || found === next ? next : runs });
    runs = found;
  }
  await stream();
}, 300_000);

test('a client in another language, which learns the schema by reflection: a stream it does not concern loses nothing', async () => {
  const router = await start();
  const { sender, seen } = await stream();
  const client = star.lab.spawn(undefined, ['/usr/bin/python3', inRepository('test/e2e/foreign-client.py'), router.socketPath]);
  expect({ ...(await client.exited), stderr: client.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(JSON.parse(client.stdout)).toMatchObject({
    file: router.file,
    refused: { status: 'FAILED_PRECONDITION', reason: 'FILE_MANAGED', domain: 'xmcast' },
    invalid: { status: 'INVALID_ARGUMENT', reason: 'CONFIG_INVALID', fields: ['config.interfaces[0].name', 'config.log_level'] },
    dry: { changes: [{ path: 'interfaces[lan2].ttl_threshold', after: '9', effect: 'EFFECT_LIVE' }] },
    applied: { revision: 1, changes: [{ path: 'interfaces[lan2].ttl_threshold', after: '9' }] },
    stale: { status: 'ABORTED', reason: 'ETAG_MISMATCH' },
    trial: { revision: 2, changes: [{ path: 'log_level', after: 'warn', effect: 'EFFECT_LIVE' }] },
    rolled_back: { revision: 1, changes: [{ path: 'log_level', before: 'warn' }] },
    after: { revision: 1, source: 'CONFIG_SOURCE_API' },
    revisions: {
      revisions: [
        { revision: 2, state: 'STATE_REVERTED', comment: 'on trial' },
        { revision: 1, state: 'STATE_CURRENT', comment: 'from Python', author: 'api' },
      ],
    },
  });
  expect(await threshold(router)).toBe(9);
  const { received } = await seen();
  await eventually(async () => (await seen()).received > received + 100, { what: 'the stream goes on' });
  const { sent } = await sender.stop();
  await eventually(async () => (await seen()).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
});

test('without a file and with an empty state folder: it waits for its first configuration, and forwards by it', async () => {
  // The default paths, in a mount namespace of its own.
  const mounts = 'mount -t tmpfs tmpfs /run && mount -t bpf bpf /sys/fs/bpf && exec "$@"';
  const process = star.lab.spawn(star.router, ['unshare', '--mount', '/bin/sh', '-c', mounts, 'sh', XMCASTD, '--state-dir', stateDir], { name: 'xmcastd' });
  await eventually(() => process.stdout.includes('xmcastd is ready'), { what: 'it is ready without an interface', timeoutMs: 30_000 });
  const given = join(star.lab.directory, 'first.yaml');
  writeFileSync(given, stringify({ ...star.config, igmp }));
  // The shell opens the file before the lab's folder is out of sight.
  const enter = 'exec nsenter --mount -t "$1" "$2" config apply - <"$3"';
  const ctl = star.lab.spawn(undefined, ['/bin/sh', '-c', enter, 'sh', String(process.pid), inRepository('deploy/bin/xmcastctl'), given]);
  expect({ ...(await ctl.exited), stderr: ctl.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(ctl.stdout).toMatch(/^revision 1 runs$/m);
  await stream();
  process.signal('SIGTERM');
  expect(await process.exited).toEqual({ code: 0, signal: null });
});
